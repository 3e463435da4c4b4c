"""Runs the pods of sidecar.yaml and in-the-vm.yaml without Kubernetes: two of them, in network namespaces, with the files, commands, users
and environment of the manifests, until one node reaches the other. As root, with erl and PyYAML:

    packaging/kubernetes/walk.py PROGRAM    a `beamway`; and erlang/build before, for the carrier inside the VM

What Kubernetes does itself is not tried: order of start, probes, names in DNS, mounting, the container runtime. It changes the network of
this machine for a moment, and is no part of ./check.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import yaml

FOLDER = pathlib.Path(__file__).resolve().parent
ERLANG = FOLDER.parent.parent / "erlang"
COOKIE = "secret"
PING = """
    Ping = fun Ping(0) -> pang; Ping(N) -> case net_adm:ping('@OTHER@') of pong -> pong; pang -> timer:sleep(500), Ping(N - 1) end end,
    pong = Ping(40),
    16000000 = erpc:call('@OTHER@', erlang, byte_size, [binary:copy(<<0:128>>, 1000000)]),
    io:format("~p reached ~p~n", [node(), nodes()]),
    halt().
"""


def documents(file):
    with open(FOLDER / file) as text:
        return [document for document in yaml.safe_load_all(text) if document]


def one(file, kind, name=None):
    [found] = [d for d in documents(file) if d["kind"] == kind and name in (None, d["metadata"]["name"])]
    return found


def run(*words, **options):
    return subprocess.run(words, check=True, **options)


class Pod:
    """A pod as far as the manifest says: its host name, files, environment, and the user of its containers."""

    def __init__(self, work, number, names, manifest, program, stack):
        self.name = names[number]
        self.namespace = f"beamway-pod-{number}"
        self.program = program
        self.folder = work / f"{manifest}-{number}"
        self.spec = one(manifest, "StatefulSet")["spec"]["template"]["spec"]
        self.user = str(self.spec["securityContext"]["runAsUser"])
        group = self.spec["securityContext"]["fsGroup"]
        for volume in self.spec["volumes"]:
            place = self.folder / volume["name"]
            place.mkdir(parents=True)
            if "configMap" in volume:
                for file, text in one(manifest, "ConfigMap", volume["configMap"]["name"])["data"].items():
                    text = text.replace("/etc/beamway/certs", str(self.folder / "certs"))
                    (place / file).write_text(self.known(text))
            elif "secret" in volume:
                for item in volume["secret"]["items"]:
                    shutil.copy(work / "certs" / names[0] / item["path"], place)
                    os.chown(place / item["path"], 0, group)
                    os.chmod(place / item["path"], volume["secret"]["defaultMode"])
            else:
                os.chown(place, 0, group)
                os.chmod(place, 0o2770)
        etc = pathlib.Path("/etc/netns") / self.namespace
        stack.callback(shutil.rmtree, etc, ignore_errors=True)
        etc.mkdir(parents=True)
        hosts = [f"10.79.0.{index + 1} {name}" for index, name in enumerate(names)]
        (etc / "hosts").write_text("\n".join(["127.0.0.1 localhost", *hosts, ""]))

    def known(self, text):
        """A program that is older than the manifest has no admin port."""
        if "[admin]" in text and not self.knows_admin():
            print("  this program has no [admin]: left out")
            return text.split("[admin]")[0]
        return text

    def knows_admin(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('[admin]\nlisten = "127.0.0.1:0"\n')
            file.flush()
            said = subprocess.run([self.program, "check", "--config", file.name], capture_output=True, text=True)
        return "admin" not in said.stderr

    def placed(self, container, text):
        """What a container names, by where it is here."""
        mounts = {mount["mountPath"]: str(self.folder / mount["name"]) for mount in container.get("volumeMounts", [])}
        mounts["/app/beamway/ebin"] = str(ERLANG / "ebin")
        # Of a path within another, the longer one.
        for number, path in enumerate(sorted(mounts, key=len, reverse=True)):
            text = text.replace(path, f"\0{number}\0")
        for number, path in enumerate(sorted(mounts, key=len, reverse=True)):
            text = text.replace(f"\0{number}\0", mounts[path])
        return text

    def start(self, container, more="", **options):
        # In containers of the manifest the home is / where the user has none.
        environment = {"PATH": os.environ["PATH"], "HOME": "/", "HOST": self.name, "COOKIE": COOKIE, "EVAL": more}
        words = container.get("command") or [self.program]
        words = [self.placed(container, word) for word in words + container.get("args", [])]
        if more:
            words[-1] = words[-1].rstrip() + ' -eval "$EVAL"'
        confined = ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
        return subprocess.Popen(["ip", "netns", "exec", self.namespace, *confined, *words], env=environment, **options)


def network(count, stack):
    """A bridge, and a namespace for each pod."""
    bridge = "beamway-pods"
    run("ip", "link", "add", bridge, "type", "bridge")
    stack.callback(run, "ip", "link", "delete", bridge)
    run("ip", "link", "set", bridge, "up")
    for number in range(count):
        namespace, outer, inner = f"beamway-pod-{number}", f"beamway-o{number}", f"beamway-i{number}"
        run("ip", "netns", "add", namespace)
        stack.callback(run, "ip", "netns", "delete", namespace)
        run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", namespace)
        # A namespace takes its devices with it, but not at once.
        stack.callback(run, "ip", "link", "delete", outer)
        run("ip", "link", "set", outer, "master", bridge, "up")
        run("ip", "-n", namespace, "address", "add", f"10.79.0.{number + 1}/24", "dev", inner)
        for device in ("lo", inner):
            run("ip", "-n", namespace, "link", "set", device, "up")


def end(process):
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def walk(manifest, work, names, program):
    print(f"{manifest}:")
    with contextlib.ExitStack() as stack:
        network(2, stack)
        pods = [Pod(work, number, names, manifest, program, stack) for number in range(2)]
        for pod in pods:
            for container in pod.spec.get("initContainers", []):
                log = stack.enter_context(open(pod.folder / f"{container['name']}.log", "w+"))
                process = pod.start(container, stdout=log, stderr=log)
                if "restartPolicy" in container:
                    stack.callback(end, process)
                elif process.wait():
                    sys.exit(f"{container['name']}: status {process.returncode}")
        # Their startup probes.
        time.sleep(2)
        [container] = pods[1].spec["containers"]
        stack.callback(end, pods[1].start(container, stdout=subprocess.DEVNULL))
        other = f"orders@{names[1]}"
        ping = pods[0].start(pods[0].spec["containers"][0], PING.replace("@OTHER@", other))
        try:
            status = ping.wait(60)
        except subprocess.TimeoutExpired:
            ping.kill()
            status = "none within a minute"
        if status:
            for log in work.glob(f"{manifest}-*/*.log"):
                print(log.name, log.read_text(), sep="\n", file=sys.stderr)
            sys.exit(f"{manifest}: the nodes do not reach each other: status {status}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        work.chmod(0o755)
        # Any user may run it there.
        program = str(shutil.copy(sys.argv[1], work / "beamway"))
        [names] = [d["spec"]["dnsNames"] for d in documents("certificates.yaml") if "dnsNames" in d["spec"]]
        run(program, "certs", "init", "--dir", work / "certs", stdout=subprocess.DEVNULL)
        hosts = [word for name in names[1:] for word in ("--host", name)]
        run(program, "certs", "issue", "--dir", work / "certs", *hosts, names[0], stdout=subprocess.DEVNULL)
        run("sh", ERLANG / "build", "modules", stdout=subprocess.DEVNULL)
        walk("sidecar.yaml", work, names, program)
        if (ERLANG / "priv" / "beamway_nif.so").exists():
            walk("in-the-vm.yaml", work, names, program)
        else:
            print("in-the-vm.yaml: NOT DONE: run erlang/build first")


if __name__ == "__main__":
    main()
