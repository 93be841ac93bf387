"""What is measured, and the load generators' words."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARIES = ROOT / ".build" / "release"
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
CONNECTIONS = 64


def say(text):
    print(text, file=sys.stderr, flush=True)


class Figures:
    """What was measured; a line of the table each."""

    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, target=None, at_least=False):
        verdict = ""
        if target is not None:
            verdict = "PASS" if (value >= target if at_least else value < target) else "MISS"
        wanted = "" if target is None else f"{'≥' if at_least else '<'} {target:g}"
        self.rows.append((name, f"{value:.2f}" if value < 100 else f"{value:.0f}", unit, wanted, verdict))
        say(f"   {name}: {self.rows[-1][1]} {unit} {verdict}")

    def report(self):
        rows = [("figure", "value", "unit", "target", ""), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for name, value, unit, target, verdict in rows:
            print(f"{name:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}  {target:<{widths[3]}}  {verdict}".rstrip())
        return all(row[4] != "MISS" for row in self.rows)


def processor_seconds(pid):
    """User and system time of a process so far; in hundredths of a second, so measure over seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid):
    fields = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def words(output):
    """`name=value name=value …` as a dictionary of numbers."""
    return {name: float(value) for name, value in (word.split("=") for word in output.split())}


def load_command(kind, ports, connections=CONNECTIONS, **options):
    command = [str(BINARIES / "s3-load"), kind, "--connections", str(connections)]
    for port in ports:
        command += ["--port", str(port)]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def run_load(command):
    """Runs a load generator; its figures."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures = words(output)
    if figures["errors"]:
        raise RuntimeError(f"errors under load: {' '.join(command)}: {output}")
    return figures


def load(kind, *ports, **options):
    """Runs s3-load; its figures."""
    return run_load(load_command(kind, ports, **options))
