#!/usr/bin/python3
"""The wire to PostgreSQL: TLS with a checked name, or loopback, or nothing. A throw-away server gets a certificate of a throw-away
authority; each wrong way to connect must be refused, with the setting named and exit 2."""
import json
import os
import pwd
import re

from harness import BUILD, check, run, wait_until

NAME = "db.test.example"


def make_certificates(stack):
    """ca.pem signs server.pem for NAME; other.pem is another authority."""
    directory = os.path.join(stack.directory, "tls")
    os.mkdir(directory, 0o755)
    extension = os.path.join(directory, "name")
    with open(extension, "w", encoding="utf-8") as handle:
        handle.write(f"subjectAltName=DNS:{NAME}\n")

    def openssl(*argv):
        stack.shell("openssl", *argv)

    for ca in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={ca}",
                "-keyout", f"{directory}/{ca}.key", "-out", f"{directory}/{ca}.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}",
            "-keyout", f"{directory}/server.key", "-out", f"{directory}/server.csr")
    openssl("x509", "-req", "-days", "2", "-in", f"{directory}/server.csr", "-CA", f"{directory}/ca.pem",
            "-CAkey", f"{directory}/ca.key", "-CAcreateserial", "-extfile", extension, "-out", f"{directory}/server.pem")
    os.chmod(f"{directory}/server.key", 0o600)
    if os.geteuid() == 0:
        os.chown(f"{directory}/server.key", pwd.getpwnam("postgres").pw_uid, -1)
    return directory


def switch_tls_on(stack):
    directory = make_certificates(stack)
    for name, value in (("ssl_cert_file", f"{directory}/server.pem"), ("ssl_key_file", f"{directory}/server.key"), ("ssl", "on")):
        stack.query(f"ALTER SYSTEM SET {name} = '{value}'")
    stack.query("SELECT pg_reload_conf()")
    wait_until("the server speaks TLS", lambda: stack.one("SHOW ssl") == "on", 20)
    return directory


def status(stack, dsn, name="tls"):
    with open(stack.config, encoding="utf-8") as handle:
        sections = json.load(handle)
    sections["database"]["dsn"] = dsn
    path = os.path.join(stack.directory, f"{name}.yaml")
    with open(path, "w", encoding="utf-8") as handle:
        json.dump(sections, handle)
    return stack.shell(os.path.join(BUILD, "altinn-sync"), "-c", path, "db", "status", check=False)  # without --dev


def keywords(stack, host, **more):
    port = re.search(r":(\d+)/", stack.dsn) or re.search(r"port=(\d+)", stack.dsn)
    database = re.search(r"/(\w+)(\?|$)", stack.dsn) or re.search(r"dbname=(\w+)", stack.dsn)
    parts = {"host": host, "port": port.group(1), "user": "postgres", "dbname": database.group(1), **more}
    return " ".join(f"{k}={v}" for k, v in parts.items())


def a_checked_name_under_our_authority_is_taken(stack):
    stack.tls = switch_tls_on(stack)
    done = status(stack, keywords(stack, NAME, hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=f"{stack.tls}/ca.pem"))
    check(done.returncode == 0, done.stderr)


def another_authority_is_refused(stack):
    done = status(stack, keywords(stack, NAME, hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=f"{stack.tls}/other.pem"))
    check(done.returncode == 2 and "database.dsn" in done.stderr and "certificate" in done.stderr, done.stderr)


def another_name_is_refused(stack):
    done = status(stack, keywords(stack, "elsewhere.test.example", hostaddr="127.0.0.1", sslmode="verify-full",
                                  sslrootcert=f"{stack.tls}/ca.pem"))
    check(done.returncode == 2 and "database.dsn" in done.stderr, done.stderr)


def an_authority_file_that_is_missing_is_refused(stack):
    done = status(stack, keywords(stack, NAME, hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=f"{stack.tls}/none.pem"))
    check(done.returncode == 2 and "database.dsn" in done.stderr, done.stderr)


def tls_without_a_checked_name_is_refused_before_anything_is_opened(stack):
    for mode in ("disable", "prefer", "require", "verify-ca"):
        done = status(stack, keywords(stack, "192.0.2.1", sslmode=mode))
        check(done.returncode == 2 and "database.dsn" in done.stderr and "verify-full" in done.stderr, f"{mode}: {done.stderr}")


def a_server_without_tls_is_refused_when_tls_is_asked_for(stack):
    stack.query("ALTER SYSTEM SET ssl = off")
    stack.query("SELECT pg_reload_conf()")
    wait_until("the server speaks no TLS", lambda: stack.one("SHOW ssl") == "off", 20)
    done = status(stack, keywords(stack, NAME, hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=f"{stack.tls}/ca.pem"))
    check(done.returncode == 2 and "database.dsn" in done.stderr, done.stderr)


if __name__ == "__main__":
    run([a_checked_name_under_our_authority_is_taken, another_authority_is_refused, another_name_is_refused,
         an_authority_file_that_is_missing_is_refused, tls_without_a_checked_name_is_refused_before_anything_is_opened,
         a_server_without_tls_is_refused_when_tls_is_asked_for], "tls", broker="embedded")
