"""NumPy, SciPy and torch: arrays with their memory."""

from __future__ import annotations

from . import Kind, Library

NUMPY = Library(
    "NumPy",
    ("numpy",),
    """
import numpy as np

fresh = lambda: np.arange(24.0).reshape(4, 6).copy()
base = fresh()
big = np.arange(200_000.0).reshape(200, 1000)

class Measured(np.ndarray):
    def __new__(cls, data, unit=None):
        made = np.asarray(data).view(cls)
        made.unit = unit
        return made
    def __array_finalize__(self, other):
        self.unit = getattr(other, 'unit', None)

def readonly(array):
    array.flags.writeable = False
    return array

def drawn(generator, count=3):
    generator.random(count)
    return generator

def same_numbers(a, b):
    return a.random(5).tolist() == b.random(5).tolist()

def writes_through(pair, place=0):
    pair[1].flat[place] = 99
    return 99 in pair[0].ravel().tolist()
""",
    [
        Kind("array of one axis", "np.arange(5.0)"),
        Kind("array in Fortran's order", "np.asfortranarray(base)"),
        Kind("array of no axis", "np.array(5)"),
        Kind("empty arrays", "[np.empty((0, 3)), np.empty((3, 0), 'i4')]"),
        Kind("large array", "big.copy()"),
        Kind("large array in Fortran's order", "np.asfortranarray(big)"),
        Kind("read-only array", "readonly(np.arange(5))"),
        Kind("bool, int8 … uint64", "[np.arange(3).astype(t) for t in '?bBhHiIlLqQ']"),
        Kind("float16 … longdouble", "[np.arange(3).astype(t) for t in ('f2', 'f4', 'f8', 'g')]"),
        Kind("complex64, complex128", "[np.array([1j], 'c8'), np.array([1j], 'c16')]"),
        Kind("other byte order", "np.arange(3, dtype='>i4')"),
        Kind("nan with its bits", "np.array([0x7ff8000000000123], 'u8').view('f8')"),
        Kind("str and bytes", "[np.array(['a', 'äb']), np.array([b'x', b'yz'])]"),
        Kind("StringDType", "np.array(['a', 'long ' * 20], dtype=np.dtypes.StringDType())"),
        Kind(
            "datetime64 and timedelta64",
            "[np.array(['2026-01-01', 'NaT'], 'M8[ns]'), np.array([1, 2], 'm8[s]')]",
        ),
        Kind("structured", "np.array([(1, 2.0, 'x')], dtype=[('a', 'i4'), ('b', 'f8'), ('c', 'U3')])"),
        Kind("structured, aligned", "np.zeros(2, np.dtype([('a', 'i1'), ('b', 'f8')], align=True))"),
        Kind("record array", "np.rec.array([(1, 'x')], dtype=[('a', 'i4'), ('b', 'U1')])"),
        Kind("array of objects", "np.array([1, 'a', [2], None], dtype=object)"),
        Kind(
            "array of objects that holds itself",
            "(lambda a: a.__setitem__(0, a) or a)(np.empty(1, object))",
            "b[0] is b",
        ),
        Kind("dtype with metadata", "np.zeros(2, np.dtype('f8', metadata={'unit': 'm'}))"),
        Kind(
            "view of a part", "(lambda x: [x, x[1:3, ::2]])(fresh())", "not same(a, b) and writes_through(b)"
        ),
        Kind("view without its base in a variable", "fresh()[1:3]"),
        Kind("transposed view", "(lambda x: [x, x.T])(fresh())", "not same(a, b) and writes_through(b)"),
        Kind("reversed view", "(lambda x: [x, x[::-1]])(fresh())", "not same(a, b) and writes_through(b)"),
        Kind(
            "view with another dtype",
            "(lambda x: [x, x.view('u8')])(fresh())",
            "not same(a, b) and (b[1].__setitem__((0, 0), 1) or b[0][0, 0] > 0)",
        ),
        Kind(
            "two views of one base",
            "(lambda x: [x[:3], x[2:]])(np.arange(5))",
            "(b[0].__setitem__(2, 7) or b[1][0] == 7)",
        ),
        Kind("broadcast view", "np.broadcast_to(np.arange(3), (2, 3))"),
        Kind("as_strided", "np.lib.stride_tricks.as_strided(np.arange(6), (3, 2), (8, 8))"),
        Kind("sliding windows", "np.lib.stride_tricks.sliding_window_view(np.arange(6), 3)"),
        Kind("diagonal", "fresh().diagonal()"),
        Kind(
            "field of a structured array",
            "(lambda x: [x, x['b']])(np.zeros(2, [('a', 'i4'), ('b', 'f8')]))",
            "not same(a, b) and (b[1].__setitem__(0, 5) or b[0]['b'][0] == 5)",
        ),
        Kind(
            "real part of a complex array",
            "(lambda x: [x, x.real])(np.array([1 + 2j]))",
            "not same(a, b) and (b[1].__setitem__(0, 5) or b[0][0] == 5 + 2j)",
        ),
        Kind(
            "array over a bytearray",
            "(lambda raw: [raw, np.frombuffer(raw, 'u1')])(bytearray(64))",
            "b[1].__setitem__(0, 77) or b[0][0] == 77",
        ),
        Kind("array over bytes", "np.frombuffer(b'abcd', 'u1')"),
        Kind(
            "array over array.array",
            "(lambda x: [x, np.frombuffer(x, 'f8')])(__import__('array').array('d', [1, 2]))",
            "b[1].__setitem__(0, 7) or b[0][0] == 7",
        ),
        Kind("array over a memoryview", "np.asarray(memoryview(b'abc'))"),
        Kind("masked array", "np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=9)"),
        Kind("masked array with a hard mask", "np.ma.array([1.0, 2], mask=[0, 1], hard_mask=True)"),
        Kind("np.ma.masked is the one", "np.ma.masked", "a is b"),
        Kind("matrix", "np.asmatrix(fresh())"),
        Kind(
            "subclass with an attribute",
            "Measured([1, 2], 'm')",
            "b.unit == 'm' and type(b).__name__ == 'Measured' and b.tolist() == [1, 2]",
        ),
        Kind("chararray", "np.char.asarray(['a', 'b'])"),
        Kind(
            "scalars",
            "[np.float32(1.5), np.int8(3), np.bool_(True), np.datetime64('2026'), np.str_('a'), np.void(b'ab')]",
        ),
        Kind("record scalar", "np.array([(1, 2.0)], dtype=[('a', 'i4'), ('b', 'f8')])[0]"),
        Kind("dtype", "[np.dtype('f8'), np.dtype('>i4'), np.dtype([('a', 'i4')]), np.float64]"),
        Kind("builtin dtype is everybody's", "np.dtype('f8')", "a is b"),
        Kind("ufunc", "[np.add, np.sin]", "a[0] is b[0] and a[1] is b[1]"),
        Kind("frompyfunc", "np.frompyfunc(lambda x: x + 1, 1, 1)", "b(1) == 2", "named", ""),
        Kind("vectorize", "np.vectorize(lambda x: x + 1)", "b([1, 2]).tolist() == [2, 3]"),
        Kind("poly1d", "np.poly1d([1, 2])"),
        Kind("Polynomial", "np.polynomial.Polynomial([1, 2, 3])", "b(2) == a(2) and type(a) is type(b)"),
        Kind("Generator at its place", "drawn(np.random.default_rng(3))", "same_numbers(a, b)"),
        Kind(
            "Generator of MT19937, Philox, SFC64",
            "[drawn(np.random.Generator(t(1))) for t in (np.random.MT19937, np.random.Philox, np.random.SFC64)]",
            "all(map(same_numbers, a, b))",
        ),
        Kind("RandomState at its place", "drawn(np.random.RandomState(3))", "same_numbers(a, b)"),
        Kind(
            "SeedSequence that has children",
            "(lambda s: s.spawn(2) and s)(np.random.SeedSequence(5))",
            "a.n_children_spawned == b.n_children_spawned == 2 and same_numbers(np.random.default_rng(a.spawn(1)[0]), np.random.default_rng(b.spawn(1)[0]))",
        ),
        Kind(
            "Generator shared by two",
            "(lambda g: [g, {'g': g}])(np.random.default_rng(1))",
            "b[0] is b[1]['g']",
        ),
        Kind("nditer", "np.nditer(np.arange(3))", "", "named", ""),
        Kind(
            "flatiter",
            "(lambda f: next(f) and f or f)(fresh().flat)",
            "b.index == 1 and list(a) == list(b)",
            "rebuilt",
        ),
        Kind("ndenumerate", "np.ndenumerate(fresh())", "list(a) == list(b)", "rebuilt"),
        Kind("broadcast", "np.broadcast(np.arange(3), np.arange(3))", "", "named", "cannot be pickled"),
        Kind(
            "finfo, iinfo",
            "[np.finfo('f8'), np.iinfo('i4')]",
            "b[0].eps == a[0].eps and b[1].max == a[1].max",
        ),
        Kind(
            "memmap",
            "np.memmap('mapped', 'f8', 'w+', shape=(4,))",
            "b.tolist() == [0] * 4 and type(a) is type(b) and b.filename.endswith('mapped')",
            "rebuilt",
        ),
        Kind(
            "lazy file of arrays",
            "(np.savez('kept.npz', x=base), np.load('kept.npz'))[1]",
            "b['x'].tolist() == base.tolist()",
            "rebuilt",
        ),
        Kind("errstate", "np.errstate(all='ignore')", "b.__enter__() is None"),
    ],
)

SCIPY = Library(
    "SciPy",
    ("scipy", "numpy"),
    """
import numpy as np, scipy, scipy.sparse, scipy.stats, scipy.interpolate, scipy.spatial, scipy.optimize, scipy.signal
import scipy.integrate, scipy.linalg, scipy.fft, scipy.ndimage

x = np.linspace(0, 3, 10)
table = np.array([[0.0, 1, 0], [2, 0, 3]])
points = np.random.default_rng(1).random((20, 2))
close = lambda a, b: np.allclose(a, b)

class Sparse:
    def __init__(self, matrix): self.matrix = matrix

def same_sparse(a, b):
    return type(a) is type(b) and a.dtype == b.dtype and (a != b).nnz == 0
""",
    [
        *(
            Kind(f"sparse {name}", f"scipy.sparse.{name}(table)", "same_sparse(a, b)")
            for name in (
                "csr_matrix",
                "csc_matrix",
                "coo_matrix",
                "lil_matrix",
                "dok_matrix",
                "bsr_matrix",
                "csr_array",
                "coo_array",
            )
        ),
        Kind(
            "sparse dia_array",
            "scipy.sparse.dia_array(table)",
            "close(a.toarray(), b.toarray()) and type(a) is type(b)",
        ),
        Kind(
            "parts of a sparse matrix shared",
            "(lambda m: [m, m.data])(scipy.sparse.csr_matrix(table))",
            "b[0].data is b[1]",
        ),
        Kind("frozen distribution", "scipy.stats.norm(1, 2)", "close(a.cdf(1.3), b.cdf(1.3))"),
        Kind(
            "distribution with a generator",
            "(lambda d: setattr(d, 'random_state', np.random.default_rng(2)) or d)(scipy.stats.norm(1, 2))",
            "close(a.rvs(3), b.rvs(3))",
        ),
        Kind(
            "multivariate distribution",
            "scipy.stats.multivariate_normal([0, 1])",
            "close(a.pdf([1, 1]), b.pdf([1, 1]))",
        ),
        Kind("gaussian_kde", "scipy.stats.gaussian_kde(x)", "close(a(x), b(x))"),
        Kind(
            "result of a test",
            "scipy.stats.ttest_ind(x, x + 1)",
            "a.pvalue == b.pvalue and close(a.confidence_interval(), b.confidence_interval())",
        ),
        Kind("linear regression", "scipy.stats.linregress(x, x * 2)", "a.slope == b.slope"),
        Kind("CubicSpline", "scipy.interpolate.CubicSpline(x, x ** 2)", "close(a(1.1), b(1.1))"),
        Kind("BSpline", "scipy.interpolate.make_interp_spline(x, x ** 2)", "close(a(1.1), b(1.1))"),
        Kind("interp1d", "scipy.interpolate.interp1d(x, x)", "close(a(1.1), b(1.1))"),
        Kind(
            "RegularGridInterpolator",
            "scipy.interpolate.RegularGridInterpolator((x,), x)",
            "close(a([1.1]), b([1.1]))",
        ),
        Kind(
            "KDTree", "scipy.spatial.KDTree(points)", "close(a.query([0.5, 0.5])[0], b.query([0.5, 0.5])[0])"
        ),
        Kind(
            "cKDTree",
            "scipy.spatial.cKDTree(points)",
            "close(a.query([0.5, 0.5])[0], b.query([0.5, 0.5])[0])",
        ),
        Kind("ConvexHull", "scipy.spatial.ConvexHull(points)", "a.volume == b.volume", "rebuilt"),
        Kind(
            "Delaunay",
            "scipy.spatial.Delaunay(points)",
            "close(a.simplices, b.simplices) and close(a.find_simplex(points), b.find_simplex(points))",
            "rebuilt",
        ),
        Kind("Voronoi", "scipy.spatial.Voronoi(points)", "close(a.vertices, b.vertices)", "rebuilt"),
        Kind(
            "Rotation",
            "scipy.spatial.transform.Rotation.from_euler('z', [90], degrees=True)",
            "close(a.as_matrix(), b.as_matrix())",
        ),
        Kind(
            "OptimizeResult",
            "scipy.optimize.minimize(lambda v: (v ** 2).sum(), [1.0])",
            "close(a.x, b.x) and a.message == b.message",
        ),
        Kind(
            "LinearOperator",
            "scipy.sparse.linalg.aslinearoperator(table)",
            "close(a @ np.ones(3), b @ np.ones(3))",
        ),
        Kind(
            "sparse LU",
            "scipy.sparse.linalg.splu(scipy.sparse.csc_matrix(np.eye(3)))",
            "",
            "named",
            "cannot be pickled",
        ),
        Kind(
            "ODE solution",
            "scipy.integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0], dense_output=True)",
            "close(a.sol(0.5), b.sol(0.5))",
        ),
        Kind("signal.TransferFunction", "scipy.signal.TransferFunction([1], [1, 2])", "close(a.num, b.num)"),
        Kind(
            "signal.ShortTimeFFT",
            "scipy.signal.ShortTimeFFT(np.ones(8), 4, 1)",
            "close(a.stft(np.arange(32.0)), b.stft(np.arange(32.0)))",
        ),
    ],
)

TORCH = Library(
    "PyTorch",
    ("torch", "numpy"),
    """
import torch, numpy as np
torch.manual_seed(1)

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.register_buffer('seen', torch.zeros(2))
        self.hooked = 0
    def forward(self, x):
        return torch.relu(self.layer(x))

def with_gradient():
    w = torch.ones(3, requires_grad=True)
    (w * 2).sum().backward()
    return w

def trained():
    net = torch.nn.Linear(2, 1)
    for p in net.parameters(): p.data.fill_(0.5)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.1)
    net(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    return [net, optimiser]
""",
    [
        Kind("tensor", "torch.arange(6.0).reshape(2, 3)"),
        Kind(
            "tensors of all types",
            "[torch.ones(2, dtype=t) for t in (torch.float16, torch.bfloat16, torch.int8, torch.bool, torch.complex64)]",
        ),
        Kind("tensor with .grad", "with_gradient()", "not same(a, b) and torch.equal(b.grad, a.grad)"),
        Kind(
            "view of a tensor",
            "(lambda t: [t, t[1:]])(torch.arange(4.0))",
            "b[1].__setitem__(0, 9) or float(b[0][1]) == 9",
        ),
        Kind(
            "tensor over a NumPy array",
            "(lambda n: [n, torch.from_numpy(n)])(np.arange(3.0))",
            "b[1].tolist() == b[0].tolist() == [0, 1, 2]",
            "rebuilt",
        ),
        Kind(
            "NumPy array over a tensor",
            "(lambda t: [t, t.numpy()])(torch.arange(3.0))",
            "b[1].__setitem__(0, 9) or float(b[0][0]) == 9",
        ),
        Kind("tensor within a graph", "with_gradient() * 2", "", "named", ""),
        Kind(
            "Parameter",
            "torch.nn.Parameter(torch.ones(2))",
            "torch.equal(a, b) and b.requires_grad and type(a) is type(b)",
        ),
        Kind("Module of the flow", "Net()", "b(torch.ones(3)).shape == (2,) and b.training"),
        Kind(
            "Module and optimiser share parameters",
            "trained()",
            "b[1].param_groups[0]['params'][0] is next(b[0].parameters()) and torch.equal(next(a[0].parameters()), next(b[0].parameters()))",
        ),
        Kind(
            "Generator",
            "torch.Generator().manual_seed(5)",
            "torch.equal(torch.rand(3, generator=a), torch.rand(3, generator=b))",
        ),
        Kind(
            "Dataset and DataLoader",
            "torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4, 2)), batch_size=2)",
            "len(list(b)) == 2",
        ),
        Kind("sparse tensor", "torch.eye(3).to_sparse()"),
        Kind("scheduler", "torch.optim.lr_scheduler.StepLR(trained()[1], 2)", "b.step_size == 2"),
        Kind(
            "device, dtype, Size",
            "[torch.device('cpu'), torch.float32, torch.Size([1, 2])]",
            "a == b and b[1] is torch.float32",
        ),
    ],
)

LIBRARIES = [NUMPY, SCIPY, TORCH]
