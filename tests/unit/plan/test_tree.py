"""The plan: dpkg's rule for edited files, and the two properties that everything rests on."""

from hypothesis import given
from hypothesis import strategies as st

from fakes.unit_values import receipt
from trtllm_install.model.desired import Account, Desired, Directory, File, Link
from trtllm_install.model.receipt import OwnedFile, Receipt
from trtllm_install.model.tree import Action, Change, Seen, Tree
from trtllm_install.plan.files import offered_files
from trtllm_install.plan.tree import plan_removal, plan_tree


def file(path: str = "/etc/x", content: bytes = b"new") -> File:
    return File(path=path, content=content, template="t")


def owned(content: bytes) -> OwnedFile:
    return OwnedFile(digest=file(content=content).digest, template="t")


def seen(content: bytes, mode: int = 0o644, owner: str = "root") -> Seen:
    return Seen(kind="file", mode=mode, owner=owner, content=content)


def actions(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(c.action.value, c.path) for c in changes]


def planned(disk: bytes | None, shipped: bytes | None, **kwargs: object) -> tuple[Change, ...]:
    tree = Tree(paths={"/etc/x": seen(disk)} if disk is not None else {})
    before = receipt(files={"/etc/x": owned(shipped)}) if shipped is not None else None
    return plan_tree(Desired(files=(file(),)), tree, before, **kwargs)  # type: ignore[arg-type]


def test_a_new_file_is_created() -> None:
    assert actions(planned(None, None)) == [("create", "/etc/x")]


def test_an_untouched_file_is_replaced_when_ours_changed() -> None:
    assert actions(planned(b"old", b"old")) == [("replace", "/etc/x")]


def test_an_equal_file_is_left_alone_whoever_wrote_it() -> None:
    assert planned(b"new", b"old") == ()
    assert planned(b"new", None) == ()


def test_an_edited_file_is_kept_when_we_have_nothing_new() -> None:
    (change,) = planned(b"edited", b"new")
    assert change.action is Action.KEEP


def test_an_edited_file_is_kept_and_ours_laid_beside_it() -> None:
    changes = planned(b"edited", b"old")
    assert actions(changes) == [("keep", "/etc/x"), ("create", "/etc/x.trtllm-new")]
    assert changes[1].content == b"new"


def test_what_was_laid_beside_an_edit_stays_until_the_operator_takes_it_away() -> None:
    after = receipt(files={"/etc/x": owned(b"new"), "/etc/x.trtllm-new": owned(b"new")})
    tree = Tree(paths={"/etc/x": seen(b"edited"), "/etc/x.trtllm-new": seen(b"new")})
    (kept,) = plan_tree(Desired(files=(file(),)), tree, after)
    assert (kept.action, kept.content) == (Action.KEEP, b"new")  # so the plan shows the diff
    (kept,) = plan_tree(Desired(files=(file(),)), Tree(paths={"/etc/x": seen(b"edited")}), after)
    assert (kept.action, kept.content) == (Action.KEEP, b"")


def test_what_was_laid_beside_an_edit_goes_with_the_edit() -> None:
    after = receipt(files={"/etc/x": owned(b"new"), "/etc/x.trtllm-new": owned(b"new")})
    tree = Tree(paths={"/etc/x": seen(b"new"), "/etc/x.trtllm-new": seen(b"new")})
    assert actions(plan_tree(Desired(files=(file(),)), tree, after)) == [
        ("remove", "/etc/x.trtllm-new")
    ]


def test_a_removed_file_stays_removed_and_says_how_it_comes_back() -> None:
    for shipped in (b"new", b"old"):
        (change,) = planned(None, shipped)
        assert change.action is Action.KEEP
        assert "--on-conflict restore" in change.reason


def test_a_removed_file_comes_back_when_that_is_asked_for() -> None:
    for word in ("restore", "replace"):
        assert actions(planned(None, b"old", on_conflict=word)) == [("create", "/etc/x")]


def test_restoring_keeps_edits() -> None:
    assert actions(planned(b"edited", b"new", on_conflict="restore")) == [("keep", "/etc/x")]


def test_a_program_of_ours_that_is_gone_is_written_again() -> None:
    program = file("/opt/trtllm/engines/simulated/bin/trtllm-serve")
    before = receipt(files={program.path: owned(b"new")})
    (change,) = plan_tree(Desired(files=(program,)), Tree(), before)
    assert (change.action, change.reason) == (Action.CREATE, "was removed")


def test_a_file_that_was_there_before_us_is_kept_too() -> None:
    assert actions(planned(b"theirs", None))[0] == ("keep", "/etc/x")


def test_on_conflict_replace_takes_ours() -> None:
    assert actions(planned(b"edited", b"old", on_conflict="replace")) == [("replace", "/etc/x")]


def test_wrong_mode_or_owner_is_corrected_without_other_words() -> None:
    tree = Tree(paths={"/etc/x": seen(b"new", mode=0o666)})
    (change,) = plan_tree(Desired(files=(file(),)), tree, None)
    assert (change.action, change.reason) == (Action.CHMOD, "was 0666 root")


def test_a_folder_that_the_operator_made_a_link_stays_one() -> None:
    tree = Tree(paths={"/var/lib/x": Seen(kind="link", mode=0o777, owner="root", target="/big")})
    assert plan_tree(Desired(directories=(Directory(path="/var/lib/x"),)), tree, None) == ()


def test_removal_takes_only_what_is_ours_and_unedited() -> None:
    before = receipt(
        files={"/etc/a": owned(b"a"), "/etc/b": owned(b"b")},
        directories=("/etc/d",),
        links={"/opt/l": "t", "/opt/m": "t"},
        accounts=("u",),
    )
    tree = Tree(
        paths={
            "/etc/a": seen(b"a"),
            "/etc/b": seen(b"edited"),
            "/etc/d": Seen(kind="directory", mode=0o755, owner="root"),
            "/opt/l": Seen(kind="link", mode=0o777, owner="root", target="t"),
            "/opt/m": Seen(kind="link", mode=0o777, owner="root", target="elsewhere"),
        },
        accounts=frozenset({"u"}),
    )
    assert actions(plan_removal(Desired(), tree, before)) == [
        ("remove", "/opt/l"),
        ("remove", "/etc/a"),
        ("keep", "/etc/b"),
        ("remove", "/etc/d"),
        ("remove", "u"),
    ]


contents = st.sampled_from([b"one", b"two", b"three"])
paths = st.sampled_from(["/etc/a", "/etc/b", "/etc/c"])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Desired, Tree, Receipt | None]:
    wanted = draw(st.dictionaries(paths, contents))
    disk = draw(st.dictionaries(paths, contents))
    shipped = draw(st.none() | st.dictionaries(paths, contents))
    links = draw(st.dictionaries(st.just("/opt/current"), st.sampled_from(["x", "y"])))
    desired = Desired(
        accounts=(Account(name="u", home="/h"),) if draw(st.booleans()) else (),
        directories=(Directory(path="/etc/d"),) if draw(st.booleans()) else (),
        files=tuple(file(p, c) for p, c in wanted.items()),
        links=tuple(Link(path=p, target=t) for p, t in links.items()),
    )
    before = (
        None
        if shipped is None
        else receipt(files={p: owned(c) for p, c in shipped.items()}, directories=("/etc/d",))
    )
    return desired, Tree(paths={p: seen(c) for p, c in disk.items()}), before


def made(tree: Tree, changes: tuple[Change, ...]) -> Tree:
    """What applying does, said once more in the simplest way."""
    paths, accounts = dict(tree.paths), set(tree.accounts)
    for c in changes:
        if c.kind == "account":
            (accounts.discard if c.action is Action.REMOVE else accounts.add)(c.path)
        elif c.action is Action.REMOVE:
            paths.pop(c.path, None)
        elif c.writes:
            target = c.target if c.kind == "link" else ""
            mode = 0o777 if c.kind == "link" else c.mode
            content = c.content if c.kind == "file" else b""
            paths[c.path] = Seen(
                kind=c.kind, mode=mode, owner=c.owner, content=content, target=target
            )
    return Tree(paths=paths, accounts=frozenset(accounts))


@given(worlds())
def test_a_plan_carried_out_leaves_nothing_to_do(world: tuple) -> None:
    desired, tree, before = world
    changes = plan_tree(desired, tree, before)
    beside = {path: owned(content) for path, content in offered_files(changes).items()}
    after = receipt(files={**{f.path: owned(f.content) for f in desired.files}, **beside})
    again = plan_tree(desired, made(tree, changes), after)
    assert [c for c in again if c.writes] == []


@given(worlds())
def test_no_plan_ever_overwrites_what_we_did_not_ship(world: tuple) -> None:
    desired, tree, before = world
    shipped = before.files if before else {}
    for change in plan_tree(desired, tree, before):
        there = tree.paths.get(change.path)
        if change.kind == "file" and there and change.action in {Action.REPLACE, Action.REMOVE}:
            assert shipped[change.path].digest == there.digest


def test_a_link_that_ours_took_the_place_of_comes_back() -> None:
    before = receipt(links={"/opt/current": "ours"}, links_before={"/opt/current": "theirs"})
    ours = Seen(kind="link", mode=0o777, owner="root", target="ours")
    (change,) = plan_removal(Desired(), Tree(paths={"/opt/current": ours}), before)
    assert (change.action, change.target) == (Action.REPLACE, "theirs")
