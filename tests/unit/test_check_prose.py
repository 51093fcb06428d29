"""scripts/check_prose.py: it finds each pattern and accepts plain sentences, and both lists only shrink."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_prose.py"
WORDS = SCRIPT.with_name("prose_words.py")
MODULE = '''"""A module.

It says more: what lies ahead is a mistake.
"""

LIMIT = 3  # one that counts


# A comment
# of two lines. Who reads it, knows.
def four(name: str) -> str:
    """What a name costs."""
    return (
        f"{name} waits. "
        "That nobody comes is no fault."
    )
'''


class Tree:
    """A tree of its own, with a copy of the script."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("scripts/check_prose.py", SCRIPT.read_text("utf-8"))
        self.write("scripts/prose_words.py", WORDS.read_text("utf-8"))
        self.write("scripts/prose_exceptions.toml", OF_THE_SCRIPT)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(self.root / "scripts/check_prose.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.root)

    def found(self, *arguments: str) -> list[str]:
        """`file:line: pattern` of each line that is printed."""
        return [line[: line.index(": ", line.index(": ") + 1)] for line in self.run(*arguments).stdout.splitlines()]


def _exception(path: str, text: str, reason: str = "A sample.") -> str:
    return f'[[exception]]\npath = "{path}"\ntext = "{text}"\nreason = "{reason}"\n'


OF_THE_SCRIPT = _exception("scripts/check_prose.py", "*") + _exception("scripts/prose_words.py", "*")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.mark.parametrize(
    ("sentence", "pattern"),
    [
        ("Who changes nothing in the mailbox connects it.", "opens with Who"),
        ("It is open. Who comes first is served.", "opens with Who"),
        ("It has owners: who made it decides.", "opens with Who"),
        ("What is bold misses its goal.", "opens with What"),
        ("**What is bold** misses its goal.", "opens with What"),
        ("- What is bold misses its goal.", "opens with What"),
        ("| x | What is bold misses its goal. |", "opens with What"),
        ("Google may ask: what lies further ahead counts as a mistake.", "opens with What"),
        ("It ends; what is left waits.", "opens with What"),
        ("What is it? What it costs is unknown.", "opens with What"),
        ("That Google may ask for: a day.", "opens with That"),
        ("That it waits is no fault.", "opens with That"),
        ("That users may read it is settled.", "opens with That"),
        ("It is settled; that nobody reads it isn't.", "opens with That"),
        ("The key can't be had in time.", "can be had"),
        ("The key can be had from DNS.", "can be had"),
        ("A second try, and one that fails.", "one that"),
        ("It does as it is told.", "it is told"),
        ("x" * 101, "over 100 columns"),
    ],
)
def test_each_pattern_is_found(tree: Tree, sentence: str, pattern: str) -> None:
    tree.write("README.md", f"# Title\n\n{sentence}\n")
    done = tree.run()
    assert done.returncode == 1
    assert done.stdout.startswith(f"README.md:3: {pattern}: ")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "sentence",
    [
        "Users who don't want forwarding can connect Google instead.",
        "It shows who wrote it, what it says and that it is proven.",
        "What is bold? Who asks?",
        "One question: what is it?",
        "## What it does",
        "See [What it costs](costs.md) and “What it does”.",
        'The page "What it does" says so.',
        "That is all. That means: that counts. That costs a second.",
        "That mailbox waits. That Google account isn't yours. That one is.",
        "The code `What x is` and ``one that`` stays.",
        "What? Whatever happens, nobody knows.",
        "```\nWhat is code stays.\n" + "x" * 101 + "\n```",
        "| " + "x" * 101 + " |",
        "The [page](https://example.net/" + "x" * 101 + ").",
        "https://example.net/" + "x" * 101,
        "x" * 100,
    ],
)
def test_plain_sentences_are_left_alone(tree: Tree, sentence: str) -> None:
    tree.write("README.md", f"{sentence}\n")
    done = tree.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_comments_docstrings_and_texts_of_a_module_are_read(tree: Tree) -> None:
    tree.write("mailweir/sample.py", MODULE)
    assert sorted(tree.found()) == [
        "mailweir/sample.py:10: opens with Who",
        "mailweir/sample.py:12: opens with What",
        "mailweir/sample.py:15: opens with That",
        "mailweir/sample.py:3: opens with What",
        "mailweir/sample.py:6: one that",
    ]


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("pyproject.toml", "a = 1\nb = 2  # What it costs.\n", 2),
        ("ansible/site.yml", "# One\n# line. Who asks, hears.\n", 2),
        ("ansible/x.j2", "{# What is left out. #}\n", 1),
        ("scripts/run.sh", "#!/bin/sh\necho 1\n# What it does.\n", 3),
        ("postfix/main.cf", "# One that waits.\n", 1),
    ],
)
def test_comments_of_settings_scripts_and_templates_are_read(tree: Tree, path: str, text: str, line: int) -> None:
    tree.write(path, text)
    assert [found.partition(": ")[0] for found in tree.found()] == [f"{path}:{line}"]


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>\n{{ _('What it costs is known.') }}</p>", "2: opens with What"),
        ('<p>{{ _("It waits: what it costs isn\'t known.") }}</p>', "1: opens with What"),
        ("{{ ngettext('%(num)d has one that waits', '%(num)d wait', n) }}", "1: one that"),
        ("{{ form(url, [_('That nobody comes is no fault')]) }}", "1: opens with That"),
        ("<h1>{{ _('Known: what it costs.') }}</h1>", "1: opens with What"),
        ("<label>{{ _('Who comes first is served') }}</label>", "1: opens with Who"),
        ("{# A call.\n\nWhat it costs. #}", "3: opens with What"),
    ],
)
def test_texts_and_comments_of_the_pages_templates_are_read(tree: Tree, template: str, found: str) -> None:
    tree.write("webapp/templates/admin/x.html", f"{template}\n")
    assert tree.found() == [f"webapp/templates/admin/x.html:{found}"]


@pytest.mark.parametrize(
    "template",
    [
        "{% block title %}{{ _('Who read it') }}{% endblock %}",
        "<h2 id=\"x\">{{ _('What it costs') }}</h2><dl><dt>{{ _('Who comes') }}</dt>",
        "<p>{{ _('See what it costs.') }}</p>",
        "<p>{{ _('What it costs?') }}</p>",
        '<p class="quiet">What waits {# x #}</p>',
        "<p><code>mailweir domain add</code> mail.host.example; SPF, DKIM &ndash; {{ x }}</p>",
        "<script>let it = be + here</script>",
        "{% if what_is == 'What' %}{{ what_is }}{% endif %}",
    ],
)
def test_plain_texts_and_headings_of_templates_are_left_alone(tree: Tree, template: str) -> None:
    tree.write("webapp/templates/x.html", template)
    done = tree.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("<p>\nThis is English.</p>", 2),
        ("<p {{ x }}>{% if y %}<b>All is well</b>{% endif %}</p>", 1),
        ("<script>\nlet it = be\n</script>\nNobody translates this.", 4),
    ],
)
def test_a_sentence_of_a_template_outside_its_strings_is_found(tree: Tree, template: str, line: int) -> None:
    tree.write("webapp/templates/x.html", template)
    assert tree.found() == [f"webapp/templates/x.html:{line}: bare text"]


@pytest.mark.parametrize(
    "sentence",
    ["A frobnicator waits.", "It's a Frobnicator’s.", "The well-frobnicator (first) waits.", "`x` frobnicator: `y`."],
)
def test_a_word_that_nobody_knows_is_found(tree: Tree, sentence: str) -> None:
    tree.write("README.md", f"All is well.\n\n{sentence}\n")
    assert tree.found() == ["README.md:3: undefined word"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/words.md", "| word | meaning |\n| --- | --- |\n| frobnicator (of mail) | a thing that waits |\n"),
        ("scripts/prose_words.txt", "# names\nfrobnicator\n"),
    ],
)
def test_a_word_is_known_by_the_glossary_or_the_list_of_names(tree: Tree, path: str, text: str) -> None:
    tree.write(path, text)
    tree.write("README.md", "The Frobnicator's box.\n")
    assert tree.found() == []


@pytest.mark.parametrize(
    "text",
    [
        "`frobnicator`",
        "frobnicator.example, frob/nicator, frob_nicator, --frobnicator",
        "OpenFrob, FROB, frob4, jane@frobnicator",
        "```\nfrobnicator\n```",
    ],
)
def test_names_of_code_files_and_hosts_are_no_words(tree: Tree, text: str) -> None:
    tree.write("README.md", f"{text}\n")
    assert tree.found() == []


def test_words_of_docstrings_and_comments_are_read_and_those_of_texts_are_not(tree: Tree) -> None:
    tree.write("mailweir/x.py", '"""A frobnicator."""\n\n# the frobnicator\nX = "SELECT frobnicator FROM x"\n')
    assert sorted(tree.found()) == ["mailweir/x.py:1: undefined word", "mailweir/x.py:3: undefined word"]


def test_a_name_that_no_text_has_any_more_is_a_finding(tree: Tree) -> None:
    tree.write("scripts/prose_words.txt", "frobnicator\n")
    tree.write("README.md", "All is well.\n")
    assert tree.run().stdout == "scripts/prose_words.txt: no text has 'frobnicator' any more; remove it\n"


def test_a_retired_word_is_found_in_a_heading_of_a_template(tree: Tree) -> None:
    tree.write("docs/words.md", "## Retired words\n\n| retired | say |\n| --- | --- |\n| customer | contact |\n")
    tree.write("webapp/templates/x.html", "<h1>{{ _('All customers') }}</h1>\n")
    assert tree.found() == ["webapp/templates/x.html:1: retired word customer"]


@pytest.mark.parametrize("path", ["x.html", "docs/x.html", "build/x.py", ".cache/x.py", "node_modules/x.md", "x.txt"])
def test_other_files_are_not_read(tree: Tree, path: str) -> None:
    tree.write(path, "# What it costs.\n\nWhat it costs.\n")
    assert tree.found() == []


def test_retired_words_are_found_with_what_to_say(tree: Tree) -> None:
    tree.write(
        "docs/words.md", "# Words\n\n## Retired words\n\n| retired | say |\n| --- | --- |\n| watermark | cursor |\n"
    )
    tree.write("README.md", "The\nWatermarks move.\n")
    assert tree.run().stdout.splitlines() == [
        "README.md:2: retired word watermark: 'Watermarks move.'; say: cursor",
    ]


def test_an_exception_covers_its_text_alone_and_ends_with_it(tree: Tree) -> None:
    tree.write("README.md", "What is X? What is Y stays. What is Z goes.\n")
    tree.write("scripts/check_prose.py", SCRIPT.read_text("utf-8"))
    allowed = OF_THE_SCRIPT + _exception("README.md", "What is Y")
    tree.write("scripts/prose_exceptions.toml", allowed)
    assert tree.run().stdout.splitlines() == [
        "README.md:1: opens with What: 'What is Z goes.'; say it as subject, verb, object"
    ]
    tree.write("README.md", "All is well.\n")
    assert tree.run().stdout == (
        "scripts/prose_exceptions.toml: README.md: nothing matches 'What is Y' any more; remove it\n"
    )


@pytest.mark.parametrize("exception", [_exception("README.md", "What", " "), '[[exception]]\npath = "x"\ntext = "y"\n'])
def test_an_exception_without_a_reason_is_refused(tree: Tree, exception: str) -> None:
    tree.write("scripts/prose_exceptions.toml", exception)
    done = tree.run()
    assert done.returncode == 2
    assert "exception 1 needs path, text and reason" in done.stderr


def test_a_path_elsewhere_is_refused(tree: Tree) -> None:
    done = tree.run("/etc/hosts")
    assert done.returncode == 2
    assert "not in this tree: /etc/hosts" in done.stderr


def test_the_tree_itself_is_clean() -> None:
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
