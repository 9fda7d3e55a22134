"""JupyterHub's own models: users, groups, roles, services, servers, spawners and tokens."""

from __future__ import annotations

from collections.abc import Iterator

from jupyterhub import orm, roles
from jupyterhub.dbutil import upgrade_if_needed
from sqlalchemy import select


def make(url: str) -> None:
    """The schema by the hub's own migrations, and a hub that is in use."""
    upgrade_if_needed(url, log=_Silent())
    session = orm.new_session_factory(url)()
    for role in roles.get_default_roles():
        roles.create_role(session, role)
    session.add(orm.OAuthClient(identifier="jupyterhub", secret="", redirect_uri=""))
    for number in range(40):
        user = orm.User(name=f"user{number}")
        session.add(user)
        session.commit()
        roles.assign_default_roles(session, user)
        group = orm.Group.find(session, f"group{number % 4}") or orm.Group(
            name=f"group{number % 4}"
        )
        session.add(group)
        group.users.append(user)
        session.commit()
        orm.APIToken.new(user=user, note=f"token {number}", scopes=["self"])
        spawner = orm.Spawner(user=user, name="", state={"pid": number})
        spawner.server = orm.Server(ip="127.0.0.1", port=8000 + number)
        session.add(spawner)
    session.add(orm.Service(name="announcements"))
    session.commit()


def use(url: str, name: str) -> Iterator[object]:
    """One round of what the hub does, on rows of its own; what it saw."""
    session = orm.new_session_factory(url)()
    user = orm.User(name=name)
    session.add(user)
    session.commit()
    roles.assign_default_roles(session, user)
    yield user.name, user.admin, user.last_activity is None
    group = orm.Group.find(session, "group1")
    group.users.append(user)
    session.commit()
    yield sorted(g.name for g in user.groups)
    token = orm.APIToken.new(user=user, note="round", scopes=["self"])
    found = orm.APIToken.find(session, token)
    yield found.user is user, sorted(found.scopes)
    spawner = orm.Spawner(user=user, name="lab", state={"pid": 1})
    session.add(spawner)
    spawner.server = orm.Server(ip="127.0.0.1", port=1)
    session.commit()
    spawner.state = {"pid": 2}
    session.commit()
    session.expire_all()
    yield spawner.state, spawner.server.port, [s.name for s in user.orm_spawners.values()]
    yield session.scalar(select(orm.User.name).where(orm.User.name == "user7"))
    yield len(
        session.scalars(select(orm.Spawner).join(orm.Server).where(orm.Server.port >= 8000)).all()
    )
    session.delete(spawner)
    session.commit()
    session.delete(user)
    session.commit()
    yield orm.User.find(session, name) is None, orm.APIToken.find(session, token) is None
    session.close()
    session.get_bind().dispose()


class _Silent:
    def __getattr__(self, name: str) -> object:
        return lambda *_, **__: None
