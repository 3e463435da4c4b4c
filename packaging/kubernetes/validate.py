"""Validates the manifests of this folder against the schemas of Kubernetes' own API, and what they must have in common.

The kinds of cert-manager are validated if its resource definitions are given: validate.py [cert-manager.crds.yaml]
"""

import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

FOLDER = pathlib.Path(__file__).parent
# The first in which native sidecars need no setting, and the latest that there are schemas for.
VERSIONS = ["1.29", kubernetes_validate.latest_version()]
# The default of `[gateway] close_deadline`, in seconds.
CLOSE_DEADLINE = 10


def documents(file):
    with open(file) as text:
        return [document for document in yaml.safe_load_all(text) if document]


def of_definitions(file):
    """The schema of each kind of a file with CustomResourceDefinitions."""
    schemas = {}
    for definition in documents(file):
        spec = definition["spec"]
        for version in spec["versions"]:
            key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
            schemas[key] = closed(version["schema"]["openAPIV3Schema"])
    return schemas


def closed(schema):
    """The schema, with no fields but those that it names: the API server drops all others, and so a typing mistake."""
    if isinstance(schema, dict):
        schema = {key: closed(value) for key, value in schema.items()}
        if "properties" in schema and schema.get("type") == "object" and "apiVersion" not in schema["properties"]:
            schema.setdefault("additionalProperties", False)
        return schema
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


def is_pod(document):
    return "template" in document.get("spec", {})


def common(document):
    """What is wrong with a set of pods."""
    pod = document["spec"]["template"]["spec"]
    labels = document["spec"]["template"]["metadata"]["labels"]
    if document["spec"]["selector"]["matchLabels"].items() - labels.items():
        yield "its selector does not select its pods"
    if pod["terminationGracePeriodSeconds"] <= CLOSE_DEADLINE:
        yield "pods are killed before close_deadline"
    if not pod["securityContext"].get("runAsNonRoot") or "fsGroup" not in pod["securityContext"]:
        yield "pods run as root, or cannot read the key"
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    if volumes["certs"]["secret"].get("defaultMode") != 0o440:
        yield "beamway refuses a key that all can read"
    if {item["path"] for item in volumes["certs"]["secret"]["items"]} != {"ca.pem", "cert.pem", "key.pem"}:
        yield "the certificates have other names than beamway expects"
    for container in pod.get("initContainers", []) + pod["containers"]:
        if container.get("restartPolicy", "Always") != "Always":
            yield f"{container['name']}: a sidecar is restarted always"
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{container['name']}: privileges"
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            target = container.get(probe, {}).get("httpGet") or container.get(probe, {}).get("tcpSocket")
            if target and target["port"] not in ports:
                yield f"{container['name']}: {probe}: no port {target['port']}"
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"{container['name']}: no volume {mount['name']}"


def main():
    definitions = of_definitions(sys.argv[1]) if len(sys.argv) > 1 else {}
    wrong = []
    for file in sorted(FOLDER.glob("*.yaml")):
        for document in documents(file):
            name = f"{file.name}: {document['kind']} {document['metadata']['name']}"
            key = document["apiVersion"], document["kind"]
            try:
                if key in definitions:
                    jsonschema.validate(document, definitions[key])
                    print(f"{name}: valid (cert-manager's definitions)")
                elif "." in document["apiVersion"].split("/")[0]:
                    print(f"{name}: parsed only: no definitions were given")
                else:
                    for version in VERSIONS:
                        kubernetes_validate.validate(document, version, strict=True)
                    print(f"{name}: valid (Kubernetes {', '.join(VERSIONS)})")
            except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
                wrong.append(f"{name}: {error.message} at {list(error.path)}")
            if is_pod(document):
                wrong += [f"{name}: {mistake}" for mistake in common(document)]
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
