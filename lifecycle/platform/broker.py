"""Apache Kafka in KRaft mode: jars from Maven Central, a JRE from a wheel, one properties file."""

from __future__ import annotations

import base64
import socket
import subprocess
import uuid
from pathlib import Path

from lifecycle.errors import NotRunning
from lifecycle.platform.address import Address
from lifecycle.platform.jars import class_path, java
from lifecycle.settings import LOOPBACK

ENDPOINT = "org.apache.kafka:kafka_2.13:4.2.0+org.slf4j:slf4j-simple:1.7.36"
LOCK = Path(__file__).with_name("kafka.lock")
HEAP = "512m"


def prepare(address: Address, node: int = 1) -> list[str]:
    """Write a node's properties, format its log folder at the first start; return the command."""
    folder = _folder(address, node)
    folder.mkdir(exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(_properties(address, node))
    jars = class_path(ENDPOINT, LOCK)
    if not (folder / "data" / "meta.properties").exists():
        tool = [java(), "-cp", jars, "kafka.tools.StorageTool", "format"]
        done = subprocess.run(
            [*tool, "-t", cluster_id(address), "-c", str(properties)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()
            raise NotRunning(f"the log folder of {folder} cannot be formatted: {said[-1:]}")
    return [java(), f"-Xmx{HEAP}", "-cp", jars, "kafka.Kafka", str(properties)]


def cluster_id(address: Address) -> str:
    """Kafka's form of our instance. A leading dash would be taken for an option."""
    text = base64.urlsafe_b64encode(uuid.UUID(address.instance).bytes).decode().rstrip("=")
    return "A" + text[1:] if text.startswith("-") else text


def healthy(address: Address, node: int = 1) -> str | None:
    """None when a node accepts connections, else what is wrong."""
    port = address.kafka_port(node)
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2):
            return None
    except OSError as error:
        return f"no answer on {LOOPBACK}:{port}: {error}"


def _folder(address: Address, node: int) -> Path:
    return address.home / ("kafka" if node == 1 else f"kafka-{node}")


def _properties(address: Address, node: int) -> str:
    kafka, controller = address.kafka_port(node), address.controller_port(node)
    nodes = range(1, address.brokers + 1)
    voters = ",".join(f"{n}@{LOOPBACK}:{address.controller_port(n)}" for n in nodes)
    copies = min(3, address.brokers)
    return f"""\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{LOOPBACK}:{kafka},CONTROLLER://{LOOPBACK}:{controller}
advertised.listeners=PLAINTEXT://{LOOPBACK}:{address.advertised_port(node)}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={_folder(address, node) / "data"}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={max(1, copies - 1)}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={max(1, copies - 1)}
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
"""
