"""Octavia's own models and repositories: load balancers, what they listen to, and where it goes.

Its tables have singular names already, so all but the lookup tables keep their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from octavia.common import constants
from octavia.db import base_models, models
from octavia.db.repositories import Repositories
from oslo_utils.timeutils import utcnow
from oslo_utils.uuidutils import generate_uuid
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

_LOOKUPS: dict[type[Any], Any] = {
    models.ProvisioningStatus: constants.SUPPORTED_PROVISIONING_STATUSES,
    models.OperatingStatus: constants.SUPPORTED_OPERATING_STATUSES,
    models.Protocol: constants.SUPPORTED_PROTOCOLS,
    models.Algorithm: constants.SUPPORTED_LB_ALGORITHMS,
    models.LBTopology: constants.SUPPORTED_LB_TOPOLOGIES,
    models.AmphoraRoles: constants.SUPPORTED_AMPHORA_ROLES,
    models.SessionPersistenceType: constants.SUPPORTED_SP_TYPES,
    models.HealthMonitorType: constants.SUPPORTED_HEALTH_MONITOR_TYPES,
    models.L7RuleType: constants.SUPPORTED_L7RULE_TYPES,
    models.L7RuleCompareType: constants.SUPPORTED_L7RULE_COMPARE_TYPES,
    models.L7PolicyAction: constants.SUPPORTED_L7POLICY_ACTIONS,
    models.ClientAuthenticationMode: constants.SUPPORTED_CLIENT_AUTH_MODES,
}
_NEW = {"provisioning_status": constants.ACTIVE, "operating_status": constants.ONLINE}
_repos = Repositories()


def make(url: str) -> None:
    """The schema of its models, and a cloud that is in use."""
    engine = create_engine(url)
    base_models.BASE.metadata.create_all(engine)
    with Session(engine) as session:
        for model, names in _LOOKUPS.items():
            session.add_all(model(name=name) for name in names)
        session.flush()
        for number in range(40):
            _balance(session, f"lb{number}", generate_uuid())
        session.commit()


def _balance(session: Session, name: str, project: str) -> str:
    """A load balancer with all that belongs to one; its id."""
    profile = _repos.flavor_profile.create(
        session, id=generate_uuid(), name=name, provider_name="amphora", flavor_data="{}"
    )
    flavor = _repos.flavor.create(
        session, id=generate_uuid(), name=name, enabled=True, flavor_profile_id=profile.id
    )
    zone = _repos.availability_zone_profile.create(
        session,
        id=generate_uuid(),
        name=name,
        provider_name="amphora",
        availability_zone_data="{}",
    )
    _repos.availability_zone.create(
        session, name=name, enabled=True, availability_zone_profile_id=zone.id
    )
    session.flush()
    balancer = generate_uuid()
    _repos.create_load_balancer_and_vip(
        session,
        {
            **_NEW,
            "id": balancer,
            "name": name,
            "project_id": project,
            "topology": constants.TOPOLOGY_SINGLE,
            "enabled": True,
            "flavor_id": flavor.id,
            "availability_zone": name,
        },
        {
            "ip_address": "192.0.2.1",
            "port_id": generate_uuid(),
            "subnet_id": generate_uuid(),
            "sg_ids": [generate_uuid()],
        },
        [{"ip_address": "192.0.2.2", "subnet_id": generate_uuid()}],
    )
    pool, listener, policy, amphora = (generate_uuid() for _ in range(4))
    own = {**_NEW, "project_id": project, "enabled": True}
    session.add_all(
        [
            models.Amphora(
                id=amphora,
                load_balancer_id=balancer,
                compute_id=generate_uuid(),
                status=constants.AMPHORA_ALLOCATED,
                role=constants.ROLE_STANDALONE,
            ),
            models.Pool(
                id=pool,
                load_balancer_id=balancer,
                name=name,
                protocol=constants.PROTOCOL_HTTP,
                lb_algorithm=constants.LB_ALGORITHM_ROUND_ROBIN,
                **own,
            ),
        ]
    )
    session.flush()
    session.add_all(
        [
            models.AmphoraHealth(amphora_id=amphora, last_update=utcnow()),
            models.SessionPersistence(pool_id=pool, type=constants.SESSION_PERSISTENCE_HTTP_COOKIE),
            models.Listener(
                id=listener,
                load_balancer_id=balancer,
                default_pool_id=pool,
                name=name,
                protocol=constants.PROTOCOL_HTTP,
                protocol_port=80,
                client_authentication=constants.CLIENT_AUTH_NONE,
                **own,
            ),
            *(
                models.Member(
                    id=generate_uuid(),
                    pool_id=pool,
                    ip_address=f"198.51.100.{number}",
                    protocol_port=8080,
                    backup=False,
                    weight=number,
                    subnet_id=generate_uuid(),
                    **own,
                )
                for number in (1, 2, 3)
            ),
            models.HealthMonitor(
                id=generate_uuid(),
                pool_id=pool,
                type=constants.HEALTH_MONITOR_HTTP,
                delay=5,
                timeout=5,
                fall_threshold=3,
                rise_threshold=3,
                **own,
            ),
        ]
    )
    session.flush()
    session.add_all(
        [
            models.SNI(listener_id=listener, tls_container_id=generate_uuid(), position=1),
            models.ListenerCidr(listener_id=listener, cidr="203.0.113.0/24"),
            models.ListenerStatistics(
                listener_id=listener,
                amphora_id=amphora,
                bytes_in=1,
                bytes_out=2,
                active_connections=3,
                total_connections=4,
                request_errors=0,
            ),
            models.L7Policy(
                id=policy,
                listener_id=listener,
                action=constants.L7POLICY_ACTION_REDIRECT_TO_POOL,
                redirect_pool_id=pool,
                position=1,
                **own,
            ),
        ]
    )
    session.flush()
    session.add(
        models.L7Rule(
            id=generate_uuid(),
            l7policy_id=policy,
            type=constants.L7RULE_TYPE_PATH,
            compare_type=constants.L7RULE_COMPARE_TYPE_STARTS_WITH,
            value="/api",
            invert=False,
            **own,
        )
    )
    session.flush()
    return balancer


def use(url: str, name: str) -> Iterator[object]:
    """One round of what the API and the controller do, on a load balancer of its own."""
    engine = create_engine(url)
    with Session(engine) as session:
        balancer = _balance(session, name, generate_uuid())
        session.commit()
        found = _repos.load_balancer.get(session, id=balancer)
        yield found.name, found.provisioning_status, found.topology, found.vip.ip_address
        yield [(p.name, p.protocol, len(p.members)) for p in found.pools]
        yield [(x.protocol, x.default_pool.name, len(x.l7policies)) for x in found.listeners]
        _repos.load_balancer.update(session, balancer, provisioning_status=constants.PENDING_UPDATE)
        session.commit()
        yield _repos.load_balancer.get(session, id=balancer).provisioning_status
        locked = _repos.load_balancer.test_and_set_provisioning_status(
            session, balancer, constants.PENDING_DELETE
        )
        session.commit()
        yield locked
        weights = select(func.sum(models.Member.weight)).join(models.Pool)
        yield session.scalar(weights.where(models.Pool.load_balancer_id == balancer))
        busy = select(models.Member.operating_status, func.count()).join(models.Pool)
        busy = busy.where(models.Pool.name.like("lb%")).group_by(models.Member.operating_status)
        yield session.execute(busy).all()
        yield session.scalar(
            select(func.count())
            .select_from(models.L7Rule)
            .join(models.L7Policy)
            .join(models.Listener)
            .where(models.Listener.name == "lb7", models.L7Rule.type == "PATH")
        )
        for policy in session.scalars(
            select(models.L7Policy).join(models.Listener).where(models.Listener.name == name)
        ):
            session.delete(policy)
        session.flush()
        amphora = session.scalar(
            select(models.Amphora).where(models.Amphora.load_balancer_id == balancer)
        )
        amphora.status = constants.DELETED
        amphora.load_balancer_id = None
        session.commit()
        yield _repos.amphora.get(session, id=amphora.id).status
    engine.dispose()
