#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""make.py - writes the expected trees of the life story, from the export format alone.

Shares no code with fs/: what it knows, it knows from the specification. Its output is committed;
run it again only when the story or the format changes, and read the difference.

    tests/golden/make.py            writes tests/golden/archives/ and tests/golden/NN/
"""
import datetime
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import uuid
from xml.sax.saxutils import escape

HERE = os.path.dirname(os.path.abspath(__file__))
BASE_URL = "https://pub.example.com/dart"
SITE = "pub.example.com/dart"
PREFIXES = ("latest", "2026.08.18")

# The pubspec of each archive as YAML, and by hand what the listing must show of it.
RELEASES = {
    "oxygen-1.0.0": (
        "name: oxygen\n"
        "version: 1.0.0\n"
        "description: >-\n"
        "  Breathe in,\n"
        "  breathe out.\n"
        "environment:\n"
        "  sdk: '>=3.0.0 <4.0.0'\n"
        "executables:\n"
        "  breathe:\n",
        '{"name":"oxygen","version":"1.0.0","description":"Breathe in, breathe out.",'
        '"environment":{"sdk":">=3.0.0 <4.0.0"},"executables":{"breathe":null}}',
    ),
    "oxygen-1.1.0+1": (
        "# a comment is not kept\n"
        "version: 1.1.0+1\n"
        "name: oxygen\n"
        "description: |\n"
        "  Ünïcode \U0001f600 / slash\n"
        "  second line\n"
        "dependencies: {helium: ^0.1.0, flutter: {sdk: flutter}}\n"
        "topics: [gas, 'yes', yes, 0x10, 1.50, true, ~]\n",
        '{"version":"1.1.0+1","name":"oxygen",'
        '"description":"Ünïcode \U0001f600 / slash\\nsecond line\\n",'
        '"dependencies":{"helium":"^0.1.0","flutter":{"sdk":"flutter"}},'
        '"topics":["gas","yes","yes",16,1.5,true,null]}',
    ),
    "helium-0.1.0": (
        "name: helium\nversion: 0.1.0\n",
        '{"name":"helium","version":"0.1.0"}',
    ),
    "oxygen_lamp-2.0.0-dev": (
        "name: oxygen_lamp\nversion: 2.0.0-dev\ndev_dependencies: {}\n",
        '{"name":"oxygen_lamp","version":"2.0.0-dev","dev_dependencies":{}}',
    ),
}

# Comes from `load`: no archive, and tokens that must come out as they went in.
LOADED_PUBSPEC = (
    '{"name":"oxygen","version":"1.2.0-beta.1","lone":"\\ud83d","nul":"\\u0000","del":"\x7f",'
    '"big":12345678901234567890,"float":1.0,"exp":1E+2,"tab":"\\t","esc":"\\u001f"}'
)

ADVISORY_OUT = (
    '{"schema_version":"1.6.0","id":"GHSA-aaaa-bbbb-cccc","modified":"2026-03-04T05:06:07Z",'
    '"published":"2026-03-04T00:00:00Z","aliases":["CVE-2026-0001"],"summary":"",'
    '"details":"Leaks <gas> & more",'
    '"affected":[{"package":{"ecosystem":"Pub","name":"oxygen","purl":null},'
    '"ranges":[{"type":"SEMVER","repo":null,'
    '"events":[{"introduced":"0","fixed":null,"last_affected":null,"limit":null},'
    '{"introduced":null,"fixed":"1.1.0","last_affected":null,"limit":null}],'
    '"database_specific":null}],"versions":["1.0.0"],'
    '"database_specific":null,"ecosystem_specific":null}],'
    '"references":[{"type":"WEB","url":"https://example.com/a"}],'
    '"database_specific":{"cwe_ids":["CWE-1"],'
    '"pub_display_url":"https://github.com/advisories/GHSA-aaaa-bbbb-cccc"}}'
)
ADVISORY_SYNCED = "2031-05-06T07:08:09.123456Z"
EPOCH = "1970-01-01T00:00:00.000Z"


def archive(name, yaml):
    """A package archive: gzip'ed tar, one time, owner 0; the same bytes on each run."""
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, text in (("README.md", name + "\n"), ("lib/a.dart", ""), ("pubspec.yaml", yaml)):
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            entry.mtime = 1767225600
            tar.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(tar_bytes.getvalue(), mtime=0)


class Version:
    def __init__(self, version, pubspec, published, body):
        self.version, self.pubspec, self.published, self.body = version, pubspec, published, body
        self.retracted = self.hidden = False


class Package:
    def __init__(self, versions=(), latest=None):
        self.versions = list(versions)  # ascending: the story adds them in that order
        self.latest = latest
        self.discontinued = self.hidden = self.unlisted = False
        self.replaced_by = self.advisories_updated = self.publisher = self.downloads = None
        self.advisories = []
        self.likes = self.granted = self.most = 0
        self.tags = []


def entry(name, v):
    out = '{"version":"%s"' % v.version
    if v.retracted:
        out += ',"retracted":true'
    out += ',"pubspec":%s' % v.pubspec
    out += ',"archive_url":"%s/api/archives/%s-%s.tar.gz"' % (
        BASE_URL, name, v.version.replace("+", "%2B"))
    if v.body:
        out += ',"archive_sha256":"%s"' % hashlib.sha256(v.body).hexdigest()
    return out + ',"published":"%s"}' % v.published


def listing(name, p):
    visible = [v for v in p.versions if not v.hidden]
    latest = [v for v in visible if v.version == p.latest][0]
    out = '{"name":"%s"' % name
    if p.discontinued:
        out += ',"isDiscontinued":true'
    if p.replaced_by:
        out += ',"replacedBy":"%s"' % p.replaced_by
    out += ',"latest":%s,"versions":[%s]' % (
        entry(name, latest), ",".join(entry(name, v) for v in visible))
    if p.advisories_updated:
        out += ',"advisoriesUpdated":"%s"' % p.advisories_updated
    return out + "}"


def is_offered(v):
    return not v.hidden and not v.retracted


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def text_node(name, text):
    quotes = {'"': "&quot;", "'": "&#39;", "/": "&#47;"}
    return "<%s>%s</%s>" % (name, escape(text, quotes), name)


def link(**attributes):
    return "<link%s/>" % "".join(
        ' %s="%s"' % (k, escape(v, {'"': "&quot;"})) for k, v in attributes.items())


def urn(seed):
    digest = hashlib.sha512(seed.encode()).digest()[:16]
    return "urn:uuid:%s" % uuid.UUID(bytes=digest, version=4)


def description(v):
    """None of the story's is so long that it would be cut."""
    return json.loads(v.pubspec).get("description")


def when(time):
    return datetime.datetime.fromisoformat(time[:-1])


def newest_first(versions):
    """Of pairs of a name and a version; those of one time by name."""
    by_name = sorted(versions, key=lambda nv: (nv[0], nv[1].version))
    return sorted(by_name, key=lambda nv: when(nv[1].published), reverse=True)


def entry_node(seed, name, v, author, content, page, title):
    return "<entry>%s%s%s%s%s%s</entry>" % (
        text_node("id", urn(seed)), text_node("title", "v%s of %s" % (v.version, name)),
        "<updated>%s</updated>" % v.published,
        "<author>%s</author>" % text_node("name", author) if author else "",
        text_node("content", content), link(href=page, rel="alternate", title=title))


def feed(self_link, title, updated, author, page, subtitle, entries):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n'
            '<feed xmlns="http://www.w3.org/2005/Atom">%s%s<updated>%s</updated>%s%s%s'
            '<generator version="0.1.0">Pub Feed Generator</generator>%s%s</feed>\n') % (
        text_node("id", self_link), text_node("title", title), updated,
        "<author>%s</author>" % text_node("name", author) if author else "",
        link(href=page, rel="alternate"), link(href=self_link, rel="self"),
        text_node("subtitle", subtitle) if subtitle is not None else "", "".join(entries))


def package_feed(name, p):
    shown = [v for _, v in newest_first([(name, v) for v in p.versions])[:10] if is_offered(v)]
    page = "%s/packages/%s" % (BASE_URL, name)
    entries = []
    for v in shown:
        day = datetime.date.fromisoformat(v.published[:10])
        content = "%s was published on %s %d, %d." % (
            v.version, day.strftime("%b"), day.day, day.year)
        entries.append(entry_node("package-feed/%s/%s" % (name, v.version), name, v, None, content,
                                  "%s/versions/%s" % (page, v.version), v.version))
    return feed("%s/api/packages/%s/feed.atom" % (BASE_URL, name),
                "Recently published versions of package %s on %s" % (name, SITE),
                shown[0].published if shown else p.versions[0].published,
                p.publisher if shown else None, page,
                description(shown[0]) if shown else None, entries)


def site_feed(world):
    everything = [(name, v) for name, p in world.items() for v in p.versions]
    entries, updated = [], EPOCH
    for name, v in newest_first(everything)[:100]:
        p = world[name]
        if p.hidden or not is_offered(v):
            continue
        updated = v.published if not entries else updated
        text = description(v)
        entries.append(entry_node("%s/%s" % (name, v.version), name, v, p.publisher,
                                  "[no description]" if text is None else text,
                                  "%s/packages/%s" % (BASE_URL, name), name))
    return feed(BASE_URL + "/feed.atom", "Recently published packages on " + SITE, updated, None,
                BASE_URL + "/", None, entries)


def completion(world):
    """Of the story, what names a Dart SDK at all names one from 3.0.0 on."""
    names = []
    for name, p in sorted(world.items(), key=lambda item: (-item[1].likes, item[0])):
        latest = [v for v in p.versions if v.version == p.latest][0]
        sdk = json.loads(latest.pubspec).get("environment", {}).get("sdk")
        if sdk and not p.hidden and not p.discontinued and not p.unlisted:
            names.append(name)
    return compact({"packages": names})


def details(name, p):
    return {
        "likes": compact({"package": name, "likes": p.likes}),
        "options": compact({"isDiscontinued": p.discontinued, "replacedBy": p.replaced_by,
                            "isUnlisted": p.unlisted}),
        "publisher": compact({"publisherId": p.publisher}),
        "score": compact({"grantedPoints": p.granted, "maxPoints": p.most, "likeCount": p.likes,
                          "downloadCount30Days": p.downloads, "tags": p.tags}),
        "feed.atom": package_feed(name, p),
    }


def not_found():
    what = {"code": "NotFound", "message": "Package or version requested could not be found."}
    return compact({"error": what, **what})


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def write_tree(number, world):
    root = os.path.join(HERE, "%02d" % number)
    shutil.rmtree(root, ignore_errors=True)
    for prefix in PREFIXES:
        api = os.path.join(root, prefix, "api")
        put(os.path.join(root, prefix, "feed.atom"), site_feed(world).encode())
        put(os.path.join(root, prefix, "not-found.json"), not_found().encode())
        put(os.path.join(api, "package-name-completion-data"), completion(world).encode())
        for name, p in world.items():
            if p.hidden:
                continue
            put(os.path.join(api, "packages", name), listing(name, p).encode())
            put(os.path.join(api, "packages", name + ".d", "advisories"),
                ('{"advisories":[%s],"advisoriesUpdated":"%s"}' % (
                    ",".join(p.advisories), p.advisories_updated or EPOCH)).encode())
            for below, text in details(name, p).items():
                put(os.path.join(api, "packages", name + ".d", below), text.encode())
            for v in p.versions:
                if v.body and not v.hidden:
                    put(os.path.join(api, "archives", "%s-%s.tar.gz" % (name, v.version)), v.body)


def main():
    bodies = {name: archive(name, yaml) for name, (yaml, _) in RELEASES.items()}
    for name, body in bodies.items():
        put(os.path.join(HERE, "archives", name + ".tar.gz"), body)

    def release(name, version, published):
        key = "%s-%s" % (name, version)
        return Version(version, RELEASES[key][1], published, bodies[key])

    oxygen = Package()
    world = {
        "helium": Package([release("helium", "0.1.0", "2026-01-01T00:00:00.000Z")], "0.1.0"),
        "oxygen_lamp": Package(
            [release("oxygen_lamp", "2.0.0-dev", "2026-01-01T00:00:00.000Z")], "2.0.0-dev"),
        "oxygen": oxygen,
    }

    def new_package():
        oxygen.versions = [release("oxygen", "1.0.0", "2026-01-02T03:04:05.678901Z")]
        oxygen.latest = "1.0.0"

    def new_version():
        oxygen.versions.append(release("oxygen", "1.1.0+1", "2026-01-03T00:00:00.500Z"))
        oxygen.latest = "1.1.0+1"

    def discontinued():
        oxygen.discontinued, oxygen.replaced_by = True, "helium"

    def continued():
        oxygen.discontinued, oxygen.replaced_by = False, None

    def old_retracted():
        oxygen.versions[0].retracted = True

    def old_back():
        oxygen.versions[0].retracted = False

    def latest_retracted():
        oxygen.versions[1].retracted, oxygen.latest = True, "1.0.0"

    def all_retracted():
        oxygen.versions[0].retracted, oxygen.latest = True, "1.1.0+1"

    def version_moderated():
        oxygen.versions[1].hidden, oxygen.latest = True, "1.0.0"

    def version_reinstated():
        oxygen.versions[1].hidden, oxygen.latest = False, "1.1.0+1"

    def package_moderated():
        oxygen.hidden = True

    def package_reinstated():
        oxygen.hidden = False

    def archive_missing():
        oxygen.versions.append(
            Version("1.2.0-beta.1", LOADED_PUBSPEC, "2026-02-03T04:05:06.000Z", None))
        # the only version that is not retracted, though a pre-release
        oxygen.latest = "1.2.0-beta.1"

    def advisory_added():
        oxygen.advisories.append(ADVISORY_OUT)
        oxygen.advisories_updated = ADVISORY_SYNCED

    def advisory_removed():
        oxygen.advisories.clear()  # the time stays: it only moves forward

    def details_set():
        oxygen.likes, oxygen.granted, oxygen.most, oxygen.downloads = 42, 130, 160, 9876543210
        oxygen.publisher, oxygen.tags = "dart.dev/<&>", ["sdk:dart", "license:\u00fc/\"x\""]

    def unlisted():
        oxygen.unlisted = True

    story = (new_package, new_version, discontinued, continued, old_retracted, old_back,
             latest_retracted, all_retracted, version_moderated, version_reinstated,
             package_moderated, package_reinstated, archive_missing, advisory_added,
             advisory_removed, details_set, unlisted)
    for number, step in enumerate(story, 1):
        step()
        write_tree(number, world)


if __name__ == "__main__":
    main()
