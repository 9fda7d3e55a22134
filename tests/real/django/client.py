"""Django with its users and sessions, OAuth Toolkit, and Celery's results and schedules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import django
from django.conf import settings

_FAR = datetime(2099, 1, 1, tzinfo=UTC)


def _setup(parameters: dict[str, str]) -> None:
    settings.configure(
        SECRET_KEY="real",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            *(
                f"django.contrib.{a}"
                for a in ("contenttypes", "auth", "sessions", "admin", "messages")
            ),
            *("oauth2_provider", "django_celery_results", "django_celery_beat"),
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **parameters}},
        OAUTH2_PROVIDER={},
        ROOT_URLCONF="",
    )
    django.setup()


def make(parameters: dict[str, str]) -> None:
    """The schema by Django's migrations, and users with sessions, tokens and results."""
    _setup(parameters)
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from django_celery_results.models import TaskResult
    from oauth2_provider.models import AccessToken, Application

    call_command("migrate", verbosity=0)
    for number in range(40):
        user = User.objects.create_user(f"user{number}", password=None)
        store = SessionStore()
        store["number"] = number
        store.save()
        application = Application.objects.create(
            name=f"app{number}",
            user=user,
            client_type="public",
            authorization_grant_type="password",
        )
        AccessToken.objects.create(
            user=user, application=application, token=f"t{number}", expires=_FAR, scope="read"
        )
        TaskResult.objects.store_result(
            "application/json", "utf-8", f"00000000-0000-4000-8000-{number:012d}", number, "SUCCESS"
        )


def use(parameters: dict[str, str], name: str) -> Iterator[object]:
    """One round of what a site does, on rows of its own; what it saw."""
    if not settings.configured:
        _setup(parameters)
    from django.contrib.auth.models import Group, Permission, User
    from django.contrib.contenttypes.models import ContentType
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import connection
    from django.db.models import Count
    from django_celery_beat.models import IntervalSchedule, PeriodicTask
    from django_celery_results.models import TaskResult
    from oauth2_provider.models import AccessToken, Application, RefreshToken

    user = User.objects.create_user(name, password=None)
    group, _ = Group.objects.get_or_create(name=name)
    group.permissions.add(Permission.objects.get(codename="add_user"))
    user.groups.add(group)
    yield user.has_perm("auth.add_user"), ContentType.objects.get_for_model(User).model
    store = SessionStore()
    store["round"] = 1
    store.save()
    yield SessionStore(store.session_key)["round"]
    store.delete()
    application = Application.objects.create(
        name=name,
        user=user,
        client_type="confidential",
        authorization_grant_type="client-credentials",
    )
    token = AccessToken.objects.create(
        user=user, application=application, token=name, expires=_FAR, scope="read write"
    )
    refresh = RefreshToken.objects.create(
        user=user, application=application, token=name, access_token=token
    )
    yield AccessToken.objects.get(token=name).is_valid(["read"])
    refresh.revoke()
    yield AccessToken.objects.filter(token=name).count()
    task = TaskResult.objects.store_result("application/json", "utf-8", name, "[1]", "FAILURE")
    yield TaskResult.objects.get_task(name).status
    yield list(
        TaskResult.objects.filter(result__isnull=False, task_id__startswith="0000")
        .values("status")
        .annotate(n=Count("id"))
        .order_by("status")
    )
    every, _ = IntervalSchedule.objects.get_or_create(every=7, period=IntervalSchedule.HOURS)
    beat = PeriodicTask.objects.create(
        name=name, task="work", interval=every, expires=_FAR + timedelta(1)
    )
    yield PeriodicTask.objects.get(name=name).schedule.run_every
    yield (
        Application.objects.annotate(n=Count("accesstoken"))
        .filter(name__startswith="app", n=1)
        .count()
    )
    for row in (beat, every, task, refresh, application, group, user):
        row.delete()
    yield User.objects.filter(username=name).exists()
    connection.close()
