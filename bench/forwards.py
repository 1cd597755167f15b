"""Forwarded TCP and UDP: throughput, CPU, connections, round trips, datagrams."""
import sys

import ways

GIB = 2**30
DATAGRAMS_A_SECOND = 92593  # of 1,350 bytes: 1 Gbit/s


def _throughput(machine, way, size):
    found = {}
    for name, action, streams in (("down", "download", 1), ("down4", "download", 4),
                                  ("up", "upload", 1), ("up4", "upload", 4)):
        before = way.cpu_seconds()
        took = machine.load(action, way.port, size // streams, streams)
        after = way.cpu_seconds()
        gib = took["amount"] / GIB
        found[f"{name}_gib_s"] = gib / took["seconds"]
        if way.processes:
            found[f"{name}_cpu_s_gib"] = (after[0] - before[0]) / gib
        if way.middle:
            found[f"{name}_server_cpu_s_gib"] = (after[1] - before[1]) / gib
    return found


def _connections(machine, way, quick):
    found = {}
    for name, count, parallel in (("connect", 300 if quick else 1000, 1),
                                  ("connect50", 500 if quick else 3000, 50)):
        took = machine.load("connect", way.port, count, parallel)
        found[f"{name}_s"] = took["amount"] / took["seconds"]
    times = machine.load("pingpong", way.port, 1000 if quick else 5000)
    found.update(p50_us=times["p50_us"], p99_us=times["p99_us"])
    return found


def _datagrams(machine, way, seconds):
    before = way.cpu_seconds()
    took = machine.load("udp", way.udp_port, int(seconds * DATAGRAMS_A_SECOND),
                        DATAGRAMS_A_SECOND)
    used = way.cpu_seconds()[0] - before[0]
    found = {"udp_s": took["received"] / took["seconds"],
             "udp_loss_percent": 100 * (1 - took["received"] / took["sent"])}
    if way.processes:
        found["udp_cpu_s"] = used / took["seconds"]
    return found


def _held_memory(machine, way, count):
    """What an open forwarded connection costs, in KiB, all processes of the way together."""
    before = sum(way.memory_kib().values())
    load = machine.start([machine.load_program, "hold", way.port, count], stdin=-1, stdout=-1)
    load.stdout.readline()
    after = sum(way.memory_kib().values())
    load.stdin.close()
    load.wait()
    return (after - before) / count


def measure(machine, options):
    """way -> list of a dict a round, and what was measured once: way -> dict."""
    server, target = machine.serve()
    started = ways.start_all(machine, target, options.ways)
    idle = {way.name: way.memory_kib() for way in started}
    rounds = {way.name: [] for way in started}
    size = GIB // 8 if options.quick else GIB
    for number in range(options.repeat):
        for way in started:
            print(f"forwards {number + 1}/{options.repeat}: {way.name}", file=sys.stderr)
            found = _throughput(machine, way, size)
            found.update(_connections(machine, way, options.quick))
            if way.udp_port:
                found.update(_datagrams(machine, way, 0.3 if options.quick else 1))
            rounds[way.name].append(found)
    once = {}
    for way in started:
        once[way.name] = {"idle_kib": idle[way.name]}
        if way.processes:
            once[way.name]["connection_kib"] = _held_memory(machine, way,
                                                            100 if options.quick else 500)
    machine.stop(server, *(p for way in started for p in way.processes.values()))
    return {"rounds": rounds, "once": once}
