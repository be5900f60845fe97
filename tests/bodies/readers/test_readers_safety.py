"""Files that would run something are refused, by name, and nothing of them is run."""

import collections
import os
import pickle
import subprocess
import zipfile

import numpy as np
import pytest
import tiny_files as tiny

import biopose_sim.bodies as bodies
from biopose_sim.bodies.readers import Inert, load_pickle
from biopose_sim.errors import InputError

joblib = pytest.importorskip("joblib")


class Evil:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.fixture
def trace(tmp_path):
    return tmp_path / "it_ran"


def write_pickle(path, value):
    path.write_bytes(pickle.dumps(value))


def write_npz(path, value):
    tiny.amass(path, gender=np.array(value))


def write_npy(path, value):
    np.save(path, np.array(value, dtype=object))


def write_torch(path, value):
    torch = pytest.importorskip("torch")
    torch.save({"smpl_params_global": value}, path)


def write_torch_legacy(path, value):
    torch = pytest.importorskip("torch")
    torch.save({"smpl_params_global": value}, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_pickle, "wham_output.pkl"),
        (lambda path, value: joblib.dump(value, path), "joblib.pkl"),
        (lambda path, value: joblib.dump(value, path, compress=3), "zlib.pkl"),
        (lambda path, value: joblib.dump(np.array([value], dtype=object), path), "array.pkl"),
        (write_npz, "walk_poses.npz"),
        (write_npy, "sam.npy"),
        (write_torch, "hmr4d_results.pt"),
        (write_torch_legacy, "legacy.pt"),
    ],
)
def test_nothing_is_run(tmp_path, trace, write, name):
    write(tmp_path / name, {"a": [1.0], "b": Evil(trace)})
    with pytest.raises(InputError, match=r"asks for '\w+\.system', which is not data: it was refused"):
        bodies.load(tmp_path / name)
    assert not trace.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cbuiltins\ngetattr\n(S'a'\nS'b'\ntR.",
        b"cnumpy.testing\nrundocs\n(S'a'\ntR.",
        b"cnumpy\nload\n(S'a'\ntR.",
        b"cjoblib.numpy_pickle\nload\n(S'a'\ntR.",
    ],
)
def test_functions_are_refused_by_name(tmp_path, program):
    (tmp_path / "x.pkl").write_bytes(program)
    module, name = program[1:].split(b"\n")[:2]
    with pytest.raises(InputError, match=f"asks for '{module.decode()}.{name.decode()}'"):
        bodies.load(tmp_path / "x.pkl")


class Made:
    """What a pickle would make by calling ``function`` and setting a state."""

    def __init__(self, function, arguments, state=None):
        self.parts = function, arguments, state

    def __reduce__(self):
        return self.parts


# A row of eight bytes that says of itself that it holds no pointers.
FORGED = Made(np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0))
LONG = Made(np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("f8"), 80)}, 8, 1, 0))
REBUILD, EMPTY = np.zeros(1).__reduce__()[:2]


@pytest.mark.parametrize(
    "value",
    [
        Made(np.ndarray, ((1,), np.dtype("O"), b"A" * 8)),
        Made(REBUILD, EMPTY, (1, (1,), FORGED, False, b"A" * 8)),
        Made(REBUILD, EMPTY, (1, (1,), LONG, False, b"A" * 8)),
        Made(np.zeros(1).__reduce_ex__(5)[0], (bytearray(8), FORGED, (1,), "C")),
    ],
    ids=["array of pointers", "forged type", "beyond the row", "over a buffer"],
)
def test_bytes_are_never_taken_for_pointers(tmp_path, value):
    """numpy would: reading such an array ends the process, or worse."""
    write_pickle(tmp_path / "x.pkl", {"a": value})
    with pytest.raises(InputError, match="is not a whole pickle"):
        load_pickle(tmp_path / "x.pkl")


def test_types_of_all_kinds_come_back(tmp_path):
    kinds = ("M8[us]", "m8[25s]", "U4", "S5", "V3", ">f4", "?", "O", "c16", [("a", "f4"), ("b", "O")], [("c", "f4", 2)])
    data = [np.zeros((2, 3), kind) for kind in kinds]
    for protocol in range(6):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(data, protocol))
        back = load_pickle(tmp_path / "x.pkl", encoding="latin1")
        plain = pickle.loads((tmp_path / "x.pkl").read_bytes(), encoding="latin1")
        for wanted, found in zip(plain, back, strict=True):
            assert (found.dtype, str(found.tolist())) == (wanted.dtype, str(wanted.tolist()))


def test_a_class_cannot_be_changed(tmp_path):
    """BUILD on a class would set its attributes for everybody."""
    (tmp_path / "x.pkl").write_bytes(b"ccollections\nOrderedDict\n(N(S'keys'\nI1\ndtb.")
    with pytest.raises(InputError, match="changes a class"):
        load_pickle(tmp_path / "x.pkl")
    assert callable(collections.OrderedDict().keys)


def test_plain_data_of_all_protocols_comes_back(tmp_path):
    data = collections.defaultdict(dict)
    data[0] = {
        "a": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.eye(3)[:2]),
        "s": np.float32(2),
        "t": (1, {3}),
    }
    data[1] = {"o": np.array(["x", None], dtype=object), "u": np.array("text"), "b": b"\xff", "e": np.zeros((0, 3))}
    for write in [lambda p, v=v: p.write_bytes(pickle.dumps(data, v)) for v in range(6)] + [
        lambda p: joblib.dump(data, p),
        lambda p: joblib.dump(data, p, compress=True),
    ]:
        write(tmp_path / "x.pkl")
        back = load_pickle(tmp_path / "x.pkl", encoding="latin1")
        for person, values in data.items():
            for key, value in values.items():
                np.testing.assert_array_equal(back[person][key], value)


def test_old_numpy_names_and_python_2_text(tmp_path):
    written = pickle.dumps({"a": np.arange(3.0)}, 2).replace(b"numpy._core", b"numpy.core")
    assert b"numpy.core.multiarray" in written
    (tmp_path / "x.pkl").write_bytes(written)
    np.testing.assert_array_equal(load_pickle(tmp_path / "x.pkl")["a"], [0, 1, 2])
    (tmp_path / "y.pkl").write_bytes(b"\x80\x02U\x01\xe9.")
    assert load_pickle(tmp_path / "y.pkl", encoding="latin1") == "é"


def test_foreign_objects_become_inert_on_request(tmp_path):
    """As the SMPL models of Python 2 hold them: copy_reg._reconstructor(chumpy.ch.Ch, object, None), then a state."""
    (tmp_path / "m.pkl").write_bytes(
        b"(dS'v'\nccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR(dS'x'\nI7\nsbs."
    )
    with pytest.raises(InputError, match=r"copy_reg\._reconstructor"):
        load_pickle(tmp_path / "m.pkl")
    stub = load_pickle(tmp_path / "m.pkl", inert=("chumpy",), encoding="latin1")["v"]
    assert isinstance(stub, Inert)
    assert (stub.class_name, stub.state) == ("chumpy.ch.Ch", {"x": 7})


def test_lz4_is_named_where_it_is_not_installed(tmp_path):
    (tmp_path / "x.pkl").write_bytes(b"\x04\x22\x4d\x18" + b"\x00" * 40)
    with pytest.raises(InputError, match=r"lz4|decompressed"):
        load_pickle(tmp_path / "x.pkl")


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.98])
def test_files_that_are_cut_off(tmp_path, kept):
    pytest.importorskip("torch")
    tiny.amass(tmp_path / "a_poses.npz")
    joblib.dump({0: tiny.wham_person(np.arange(3), mesh=False)}, tmp_path / "w.pkl")
    joblib.dump({0: tiny.wham_person(np.arange(3), mesh=False)}, tmp_path / "z.pkl", compress=3)
    tiny.gvhmr(tmp_path / "g.pt")
    tiny.movi_amass(tmp_path / "F_amass_Subject_3.mat")
    for path in list(tmp_path.iterdir()):
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
        with pytest.raises(InputError, match=path.name) as caught:
            bodies.load(path, fps=30, action="kicking" if path.suffix == ".mat" else None)
        assert "\n" not in str(caught.value)


def test_a_matlab_file_that_crashes_its_reader(tmp_path, monkeypatch):
    """scipy can crash on a damaged uncompressed file: it is first read in another process, whose end is looked at."""
    path = tiny.movi_amass(tmp_path / "F_amass_Subject_3.mat", compressed=False)
    assert bodies.load(path, track=1).body == "smplh"
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, -11))
    with pytest.raises(InputError, match=r"not a whole MATLAB file .reading it crashes."):
        bodies.load(path, track=1)
    assert bodies.load(tiny.movi_amass(tmp_path / "c.mat"), track=1).body == "smplh"


def test_an_npz_whose_array_is_damaged(tmp_path):
    path = tiny.amass(tmp_path / "a_poses.npz")
    with zipfile.ZipFile(path) as archive:
        arrays = {name: archive.read(name) for name in archive.namelist()}
    arrays["poses.npy"] = arrays["poses.npy"][:200]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in arrays.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match="'poses' cannot be read"):
        bodies.load(path)
