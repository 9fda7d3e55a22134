-- A planning service as it grew up, as pg_dump would print it: nobody wrote it for trueup.
CREATE TYPE task_state AS ENUM ('todo', 'doing', 'done');

CREATE TABLE plans (
    id varchar(36) PRIMARY KEY,
    title text NOT NULL,
    state varchar(20) NOT NULL DEFAULT 'created'
        CHECK (state IN ('created', 'ready', 'paused', 'running', 'archived')),
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE phases (
    id varchar(36) PRIMARY KEY,
    plan_id varchar(36) NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    name text NOT NULL,
    position integer NOT NULL,
    UNIQUE (plan_id, position)
);
CREATE TABLE milestones (
    id varchar(36) PRIMARY KEY,
    plan_id varchar(36) NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    phase_id varchar(36) REFERENCES phases (id) ON DELETE SET NULL,
    due_on date
);
CREATE TABLE tasks (
    id varchar(36) PRIMARY KEY,
    phase_id varchar(36) NOT NULL REFERENCES phases (id) ON DELETE CASCADE,
    parent_id varchar(36) REFERENCES tasks (id),
    state task_state NOT NULL DEFAULT 'todo',
    priority integer NOT NULL DEFAULT 2 CHECK (priority IN (1, 2, 3, 4)),
    title text NOT NULL
);
CREATE INDEX tasks_open_idx ON tasks (phase_id, priority) WHERE state <> 'done';
CREATE INDEX tasks_title_idx ON tasks (lower(title));
CREATE TABLE task_dependencies (
    task_id varchar(36) NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    depends_on_id varchar(36) NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    PRIMARY KEY (task_id, depends_on_id)
);
CREATE TABLE resources (
    id serial PRIMARY KEY,
    kind text NOT NULL,
    name text NOT NULL UNIQUE
);
CREATE TABLE resource_allocations (
    task_id varchar(36) NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    resource_id integer NOT NULL REFERENCES resources (id),
    share numeric(4, 2) NOT NULL DEFAULT 1,
    PRIMARY KEY (task_id, resource_id)
);
CREATE TABLE bookings (
    id bigserial PRIMARY KEY,
    task_id varchar(36) NOT NULL,
    resource_id integer NOT NULL,
    day date NOT NULL,
    FOREIGN KEY (task_id, resource_id) REFERENCES resource_allocations (task_id, resource_id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE bottleneck_analyses (
    id varchar(36) PRIMARY KEY,
    task_id varchar(36) NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    resource_id integer REFERENCES resources (id),
    severity text,
    made_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO plans (id, title, state)
SELECT md5('plan' || n)::uuid, 'Plan ' || n,
    (ARRAY['created', 'ready', 'paused', 'running', 'archived'])[1 + n % 5]
FROM generate_series(1, 20) AS n;
INSERT INTO phases SELECT md5(p.id || n)::uuid, p.id, 'Phase ' || n, n
FROM plans AS p, generate_series(1, 3) AS n;
INSERT INTO milestones SELECT md5('m' || id)::uuid, plan_id, id, date '2026-01-01' + position
FROM phases;
INSERT INTO tasks SELECT upper(md5(p.id || n)::uuid::text), p.id, NULL,
    (ARRAY['todo', 'doing', 'done'])[1 + n % 3]::task_state, 1 + n % 4, 'Task ' || n
FROM phases AS p, generate_series(1, 4) AS n;
UPDATE tasks AS t SET parent_id = (SELECT min(o.id) FROM tasks AS o WHERE o.phase_id = t.phase_id)
WHERE priority = 1;
INSERT INTO task_dependencies SELECT a.id, b.id FROM tasks AS a
JOIN tasks AS b ON b.phase_id = a.phase_id AND b.id < a.id;
INSERT INTO resources (kind, name)
SELECT (ARRAY['person', 'machine'])[1 + n % 2], 'Resource ' || n FROM generate_series(1, 6) AS n;
INSERT INTO resource_allocations SELECT id, 1 + (row_number() OVER (ORDER BY id)) % 6 FROM tasks;
INSERT INTO bookings (task_id, resource_id, day)
SELECT task_id, resource_id, date '2026-01-05' FROM resource_allocations;
INSERT INTO bottleneck_analyses (id, task_id, resource_id, severity)
SELECT md5('b' || id)::uuid, id, 1, (ARRAY['low', 'high'])[1 + priority % 2]
FROM tasks WHERE priority > 2;
