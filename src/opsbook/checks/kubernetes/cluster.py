"""Which cluster is asked, and what lets a look in: a kubeconfig, or the pod's own account.

The kubeconfig is the content of a secret and not a path, so that it can come from the environment
too; files that it names must be absolute. A program that it wants to be run for a token (``exec``)
is not run: it would be the server's user, and a look changes nothing and starts nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError
from yarl import URL

from opsbook.checks.connect import place
from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the API is, whom it trusts us to be, and what is secret of that.

    `tls` is None for a server without TLS. `name` is whom its certificate is for, where that is not
    its address.
    """

    url: str
    namespace: str
    tls: ssl.SSLContext | None
    name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: frozenset[str] = field(default_factory=frozenset, repr=False)

    @property
    def where(self) -> str:
        """Host and port, as people write them."""
        url = URL(self.url)
        return place(url.host or "", url.port or "")


async def of_text(context: Context, text: str, name: str | None) -> Cluster:
    """The cluster of a kubeconfig, in one of its contexts.

    What is made of it is kept while the text stays: reading keys takes longer than a look.

    Raises:
        CannotLook: it cannot be read, or wants what a look does not do.
    """
    stamp = hashlib.blake2b(f"{name}\0{text}".encode()).hexdigest()
    kept: tuple[str, Cluster, str | None] | None = context.memory.get("cluster")
    if kept is None or kept[0] != stamp:
        made = await context.blocking(lambda: _read(text, name))
        kept = context.memory["cluster"] = (stamp, *made)
    _, cluster, token_file = kept
    if token_file is None:
        return cluster
    return await context.blocking(lambda: _with_token(cluster, _token(Path(token_file))))


async def of_account(context: Context, folder: Path = ACCOUNT) -> Cluster:
    """The cluster that this server runs in, as the account that its pod has.

    The token is read anew for each look: the kubelet replaces it every hour.

    Raises:
        CannotLook: it does not run in one.
    """

    def read() -> Cluster:
        host, port = (os.environ.get(f"KUBERNETES_SERVICE_{one}") for one in ("HOST", "PORT"))
        if not host or not port:
            raise CannotLook(
                "this server runs in no cluster; write on: with a target that has a KUBECONFIG, "
                "or kubeconfig:"
            )
        token = _token(folder / "token")
        tls = ssl.create_default_context(cafile=_whole(str(folder / "ca.crt")))
        try:
            namespace = (folder / "namespace").read_text().strip()
        except OSError:
            namespace = "default"
        url = f"https://{place(host, port)}"
        return _with_token(Cluster(url, namespace, tls), token)

    return await context.blocking(read)


def _with_token(cluster: Cluster, token: str) -> Cluster:
    return Cluster(
        cluster.url,
        cluster.namespace,
        cluster.tls,
        cluster.name,
        {"Authorization": f"Bearer {token}"},
        frozenset({token}),
    )


def _token(file: Path) -> str:
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotLook(f"the token {file} cannot be read: {error}") from None
    if not token:
        raise CannotLook(f"the token {file} is empty")
    return token


def _read(text: str, name: str | None) -> tuple[Cluster, str | None]:
    try:
        raw = yaml.safe_load(text)
        found = KubeConfig.from_dict(raw).get(name)
    except (yaml.YAMLError, msgspec.ValidationError, ConfigError) as error:
        raise CannotLook(f"the kubeconfig cannot be read: {_short(error)}") from None
    except (KeyError, TypeError, AttributeError):
        raise CannotLook(
            "the kubeconfig cannot be read: its clusters, users and contexts do not fit together"
        ) from None
    if found is None:
        raise CannotLook("the kubeconfig has no current-context; write context:")
    more = _more(raw, found)
    if more.get("proxy-url"):
        raise CannotLook("the kubeconfig wants a proxy, which checks do not use; remove proxy-url")
    headers, secret, token_file = _let_in(found)
    try:
        tls = _tls(found) if found.cluster.server.startswith("https:") else None
    except (ssl.SSLError, binascii.Error, ValueError):
        raise CannotLook("the kubeconfig's certificates or keys cannot be read") from None
    except OSError as error:
        raise CannotLook(f"{error.filename} cannot be read: {error.strerror}") from None
    cluster = Cluster(
        found.cluster.server.rstrip("/"),
        found.namespace,
        tls,
        more.get("tls-server-name"),
        headers,
        secret,
    )
    return cluster, token_file


def _more(raw: dict[str, Any], found: SingleConfig) -> dict[str, Any]:
    """What the cluster's entry says that lightkube does not read."""
    named = [one for one in raw["clusters"] if one["name"] == found.context.cluster]
    return dict(named[-1]["cluster"]) if named else {}


def _let_in(found: SingleConfig) -> tuple[dict[str, str], frozenset[str], str | None]:
    user = found.user
    if user is None:
        return {}, frozenset(), None
    if user.token_file is not None:
        return {}, frozenset(), _whole(user.token_file)
    if user.token is not None:
        token = user.token.strip()
        return {"Authorization": f"Bearer {token}"}, frozenset({token}), None
    if user.exec is not None or user.auth_provider is not None:
        raise CannotLook(
            "the kubeconfig gets its token from a program, which a check does not run; make a "
            "service account that may only read, and write its token"
        )
    if user.username and user.password:
        pair = f"{user.username}:{user.password}"
        told = base64.b64encode(pair.encode()).decode()
        return {"Authorization": f"Basic {told}"}, frozenset({user.password, told}), None
    return {}, frozenset(), None


def _tls(found: SingleConfig) -> ssl.SSLContext:
    cluster, user = found.cluster, found.user
    if cluster.insecure:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif cluster.certificate_auth_data:
        text = base64.b64decode(cluster.certificate_auth_data).decode("ascii")
        made = ssl.create_default_context(cadata=text)
    elif cluster.certificate_auth:
        made = ssl.create_default_context(cafile=_whole(cluster.certificate_auth))
    else:
        made = ssl.create_default_context()
    if user is None or not (user.client_cert or user.client_cert_data):
        return made
    with (
        _file(user.client_cert, user.client_cert_data) as certificate,
        _file(user.client_key, user.client_key_data) as key,
    ):
        made.load_cert_chain(certificate, key, password=lambda: "")
    return made


@contextmanager
def _file(path: str | None, data: str | None) -> Iterator[str]:
    """A file's path, or that of one in memory: a key is written to no disk."""
    if data is None:
        yield _whole(path or "")
        return
    handle = os.memfd_create("opsbook-check", os.MFD_CLOEXEC)
    try:
        os.write(handle, base64.b64decode(data))
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def _whole(path: str) -> str:
    if not path.startswith("/"):
        raise CannotLook(f"the kubeconfig names the file {path!r}; write its whole path, from /")
    return path


def _short(error: Exception) -> str:
    """What is wrong, without the text that it is wrong in: keys and tokens are in it."""
    if isinstance(error, yaml.MarkedYAMLError):
        line = error.problem_mark.line + 1 if error.problem_mark is not None else "?"
        return f"{error.problem} in line {line}"
    return str(error).split("\n")[0]
