"""The rows of faults.md: what each is called, what it is played on, and who plays it. Run by `python -m tests.chaos`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from tests.chaos import faults, plays_clients, plays_processes, plays_room, plays_schedules, plays_services
from tests.chaos.proxy import proxy
from tests.chaos.stage import Scene, Services, Stage, open_stage

Opened = Callable[[Services, Scene], AbstractContextManager[Stage]]
BOTH = ("sqlite", "postgres")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `repairs`: it makes gaps, so at least one repair must be seen. `waits_for`: why it is not run yet."""

    number: int
    fault: str
    play: Callable[[Stage], None] | None
    repairs: bool = True
    databases: tuple[str, ...] = BOTH
    opened: Opened = open_stage
    scene: dict[str, object] = field(default_factory=dict)
    waits_for: str = ""

    def on(self, scene: Scene) -> Scene:
        """This row's scene, on that database and server."""
        return replace(scene, **self.scene)  # type: ignore[arg-type]


@contextmanager
def _behind_proxy(services: Services, scene: Scene) -> Iterator[Stage]:
    """Redis is reached through a proxy that can swallow."""
    with proxy(to=services.valkey.port) as between:
        address = f"redis://127.0.0.1:{between.port}/0"
        with open_stage(services, replace(scene, environment=scene.environment | {"REDIS_URL": address})) as stage:
            stage.proxy = between
            yield stage


@contextmanager
def _with_movable_clock(services: Services, scene: Scene) -> Iterator[Stage]:
    file = services.folder / "clock"
    file.write_text("0")
    with open_stage(services, replace(scene, environment=scene.environment | {"CHAOS_CLOCK": str(file)})) as stage:
        stage.place = file
        yield stage


@contextmanager
def _on_small_disk(services: Services, scene: Scene) -> Iterator[Stage]:
    """The database lies on a disk that can be filled; where we may not mount one, SQLite is told that there is no room."""
    owner = "postgres" if scene.database == "postgres" else ""
    with ExitStack() as stack:
        try:
            place = stack.enter_context(faults.small_disk(services.folder, megabytes=48, owner=owner))
        except PermissionError:
            flag = {"CHAOS_FULL": str(services.folder / "full")}
            yield stack.enter_context(open_stage(services, replace(scene, environment=scene.environment | flag)))
            return
        space = ""
        with open_stage(services, scene, data=None if owner else place) as stage:
            stage.place = place
            if owner:
                space = plays_services.move_events(stage, place)
            yield stage
        if space and services.postgres is not None:
            services.postgres.run(f"DROP TABLESPACE {space}")


ROWS = (
    Row(1, "web processes killed in turn", plays_processes.web_killed),
    Row(2, "killed at every failpoint", plays_processes.killed_at_failpoints),
    Row(3, "Celery worker killed in a task, stopped warm and cold", plays_processes.worker_killed, repairs=False),
    Row(4, "Redis killed, flushed, cut off, asleep, out of memory", plays_services.redis_troubled),
    Row(5, "Redis half-open", plays_services.redis_half_open, opened=_behind_proxy),
    Row(6, "Postgres restarted, backends terminated, connections exhausted", plays_services.postgres_troubled, databases=("postgres",)),
    Row(7, "transaction held open, rollbacks, clashing orders", plays_services.transaction_held, repairs=False, scene={"publishers": 4}),
    Row(8, "web, publisher and Redis stopped, then continued", plays_processes.processes_stopped),
    Row(9, "clock moved an hour forth and back", plays_processes.clock_moved, repairs=False, opened=_with_movable_clock),
    Row(10, "disk full, then freed", plays_services.disk_full, repairs=False, opened=_on_small_disk),
    Row(11, "database restored from an older copy", plays_services.database_restored),
    Row(12, "clients that read slowly, never, or only talk", plays_clients.slow_clients, repairs=False),
    Row(13, "half-open clients", plays_clients.half_open_clients),
    Row(14, "every client dropped at once", plays_clients.everybody_dropped),
    Row(15, "a layer that drops, doubles and reorders", plays_services.lossy_layer, scene={"environment": {"CHAOS_LAYER": "4711"}}),
    Row(16, "rolling restarts", plays_processes.rolling_restarts),
    Row(17, "two beats, and none for three hours", plays_schedules.beats_doubled_and_dead, repairs=False, opened=_with_movable_clock),
    Row(18, "rights taken in mid-stream and in mid-replay", plays_clients.rights_taken, repairs=False),
    Row(19, "soak with churn", plays_processes.soak),
    Row(20, "a room of 20 who chat, web processes and Redis killed", plays_room.room_killed),
)
