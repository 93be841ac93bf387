"""Clients: boto3 as people use it, and raw signed requests for what boto3 would not send."""

import datetime
import hashlib
import http.client
import socket
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.client
import botocore.credentials

from support.server import USERS

REGION = "us-east-1"


def make_client(server, user="root", **options):
    access_key, secret_key = USERS[user]
    settings = {
        "signature_version": "s3v4", "retries": {"max_attempts": 0}, "s3": {"addressing_style": "path"},
        "connect_timeout": 5, "read_timeout": 120, "max_pool_connections": 64,
    }
    settings.update(options)
    return boto3.client(
        "s3", endpoint_url=server.s3_url, region_name=REGION, aws_access_key_id=access_key,
        aws_secret_access_key=secret_key, config=botocore.client.Config(**settings),
    )


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def code(self):
        """The error code of an S3 error document; empty when there is none."""
        text = self.body.decode(errors="replace")
        return text.split("<Code>")[1].split("</Code>")[0] if "<Code>" in text else ""

    def __repr__(self):
        return f"{self.status} {self.code or self.body[:200]!r}"


def encode_path(bucket="", key=""):
    if isinstance(key, str):
        key = key.encode()
    path = "/" + bucket
    return path + ("/" + urllib.parse.quote(key, safe="/-_.~") if key else "")


def signed_headers(
    server, method, target, headers=None, body=b"", user="root", payload_hash=None, when=None, region=REGION,
    secret_key=None, access_key=None, service="s3",
):
    """The headers of a SigV4-signed request for `target` (path and query exactly as sent)."""
    host, port = server.address
    payload_hash = payload_hash or hashlib.sha256(body).hexdigest()
    when = when or datetime.datetime.now(datetime.timezone.utc)
    timestamp = when.strftime("%Y%m%dT%H%M%SZ")
    request = botocore.awsrequest.AWSRequest(method=method, url=f"http://{host}:{port}{target}", data=body)
    for name, value in {
        "Host": f"{host}:{port}", "X-Amz-Content-SHA256": payload_hash, "X-Amz-Date": timestamp, **(headers or {})
    }.items():
        request.headers[name] = value
    credentials = botocore.credentials.Credentials(
        access_key or USERS[user][0], secret_key or USERS[user][1]
    )

    class Signer(botocore.auth.S3SigV4Auth):
        def payload(self, _):
            return payload_hash

    signer = Signer(credentials, service, region)
    request.context["timestamp"] = timestamp
    request.context["payload_signing_enabled"] = True
    canonical = signer.canonical_request(request)
    string_to_sign = signer.string_to_sign(request, canonical)
    signature = signer.signature(string_to_sign, request)
    signed = signer.signed_headers(signer.headers_to_sign(request))
    result = {name: value for name, value in request.headers.items()}
    result["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed}, Signature={signature}"
    )
    return result


def raw(server, method, target, headers=None, body=b"", user="root", sign=True, **options):
    """One request over a connection of its own; `target` goes onto the request line as it is."""
    host, port = server.address
    if sign:
        headers = signed_headers(server, method, target, headers, body, user, **options)
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        connection.putrequest(method, target, skip_host=bool(headers and "Host" in headers), skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if "Content-Length" not in (headers or {}) and "Transfer-Encoding" not in (headers or {}):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        try:
            connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return Reply(connection.getresponse())
    finally:
        connection.close()


def connect(server):
    connection = socket.create_connection(server.address, timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def head_bytes(method, target, headers):
    lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def error_of(call):
    """Runs a boto3 call that must fail; gives (HTTP status, error code, response)."""
    try:
        call()
    except botocore.exceptions.ClientError as error:
        response = error.response
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response
    raise AssertionError("the call succeeded")
