"""scikit-learn, networkx, pydantic."""

from __future__ import annotations

from . import Kind, Library

_ESTIMATORS = {
    "linear models": """LinearRegression LogisticRegression Ridge Lasso ElasticNet SGDClassifier Perceptron
        BayesianRidge HuberRegressor""",
    "trees": """DecisionTreeClassifier ExtraTreeClassifier DecisionTreeRegressor""",
    "ensembles": """RandomForestClassifier GradientBoostingClassifier HistGradientBoostingClassifier AdaBoostClassifier
        BaggingClassifier ExtraTreesClassifier IsolationForest""",
    "neighbours": "KNeighborsClassifier NearestCentroid LocalOutlierFactor",
    "support vectors": "SVC LinearSVC SVR",
    "clusters": "KMeans DBSCAN AgglomerativeClustering MiniBatchKMeans",
    "reductions": "PCA TruncatedSVD NMF FastICA",
    "preparations": "StandardScaler MinMaxScaler OneHotEncoder PolynomialFeatures KBinsDiscretizer SimpleImputer",
    "others": "GaussianNB MLPClassifier GaussianProcessClassifier GaussianMixture LinearDiscriminantAnalysis",
}
_FITS = "[fitted({names!r})]"

LEARN = Library(
    "scikit-learn",
    ("sklearn", "numpy"),
    """
import numpy as np, sklearn, warnings
from sklearn import cluster, compose, decomposition, discriminant_analysis, ensemble, feature_extraction, feature_selection
from sklearn import gaussian_process, impute, kernel_approximation, linear_model, metrics, mixture, model_selection, naive_bayes
from sklearn import neighbors, neural_network, pipeline, preprocessing, svm, tree, base, utils

warnings.simplefilter('ignore')
numbers = np.random.default_rng(1)
x = numbers.random((60, 4))
y = (x[:, 0] > x[:, 1]).astype(int)

def estimator(name, **options):
    for module in (cluster, decomposition, discriminant_analysis, ensemble, gaussian_process, impute, linear_model, mixture,
                   naive_bayes, neighbors, neural_network, preprocessing, svm, tree):
        if hasattr(module, name):
            made = getattr(module, name)
            break
    wanted = made().get_params()
    defaults = {'random_state': 3, 'n_estimators': 5, 'max_iter': 50, 'n_init': 1}
    return made(**{**{k: v for k, v in defaults.items() if k in wanted}, **options})

def fitted(name, **options):
    return estimator(name, **options).fit(x, y)

def answer(model):
    for method in ('predict', 'transform', 'fit_predict'):
        if hasattr(model, method):
            found = getattr(model, method)(x)
            return found.toarray() if hasattr(found, 'toarray') else found

def same_answer(a, b):
    return type(a) is type(b) and repr(a) == repr(b) and np.array_equal(answer(a), answer(b))

class Doubler(base.BaseEstimator, base.TransformerMixin):
    def __init__(self, factor=2): self.factor = factor
    def fit(self, x, y=None): return self
    def transform(self, x): return x * self.factor
""",
    [
        *(
            Kind(f"{name}, fitted", f"fitted({name!r})", "same_answer(a, b)")
            for names in _ESTIMATORS.values()
            for name in names.split()
        ),
        Kind("estimator that is not fitted", "estimator('SVC', C=3.5)", "repr(a) == repr(b)"),
        Kind(
            "Pipeline",
            "pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()).fit(x, y)",
            "same_answer(a, b)",
        ),
        Kind(
            "Pipeline with a step of the flow",
            "pipeline.make_pipeline(Doubler(3), linear_model.LogisticRegression()).fit(x, y)",
            "(answer(a) == answer(b)).all()",
        ),
        Kind(
            "ColumnTransformer",
            "compose.make_column_transformer((preprocessing.StandardScaler(), [0, 1]), remainder='passthrough').fit(x)",
            "same_answer(a, b)",
        ),
        Kind(
            "FunctionTransformer of a lambda",
            "preprocessing.FunctionTransformer(lambda v: v + 1).fit(x)",
            "(answer(a) == answer(b)).all()",
        ),
        Kind(
            "GridSearchCV",
            "model_selection.GridSearchCV(tree.DecisionTreeClassifier(random_state=1), {'max_depth': [1, 2]}, cv=2).fit(x, y)",
            "a.best_params_ == b.best_params_ and (a.cv_results_['mean_test_score'] == b.cv_results_['mean_test_score']).all()",
        ),
        Kind(
            "VotingClassifier",
            "ensemble.VotingClassifier([('a', tree.DecisionTreeClassifier(random_state=1)), ('b', naive_bayes.GaussianNB())]).fit(x, y)",
            "same_answer(a, b)",
        ),
        Kind(
            "TfidfVectorizer",
            "feature_extraction.text.TfidfVectorizer().fit(['a cat', 'the dog'])",
            "(a.transform(['the cat']) != b.transform(['the cat'])).nnz == 0",
        ),
        Kind(
            "CountVectorizer with a flow's tokenizer",
            "feature_extraction.text.CountVectorizer(tokenizer=lambda t: t.split('-')).fit(['a-b'])",
            "a.vocabulary_ == b.vocabulary_",
        ),
        Kind("SelectKBest", "feature_selection.SelectKBest(k=2).fit(x, y)", "same_answer(a, b)"),
        Kind(
            "KFold at its split",
            "model_selection.KFold(3, shuffle=True, random_state=2)",
            "[i.tolist() for i, _ in a.split(x)] == [i.tolist() for i, _ in b.split(x)]",
        ),
        Kind(
            "scorer",
            "metrics.make_scorer(metrics.f1_score)",
            "a(fitted('SVC'), x, y) == b(fitted('SVC'), x, y)",
        ),
        Kind("Bunch", "utils.Bunch(data=x, target=y)", "(b.data == x).all() and type(a) is type(b)"),
        Kind(
            "tree inside of a tree",
            "fitted('DecisionTreeClassifier').tree_",
            "(a.threshold == b.threshold).all()",
        ),
        Kind(
            "KDTree, BallTree",
            "[neighbors.KDTree(x), neighbors.BallTree(x)]",
            "all((p.query(x[:1])[0] == q.query(x[:1])[0]).all() for p, q in zip(a, b))",
        ),
        Kind(
            "model that shares its generator",
            "(lambda g: [g, ensemble.RandomForestClassifier(3, random_state=g)])(np.random.RandomState(1))",
            "b[1].random_state is b[0]",
        ),
        Kind(
            "confusion matrix display",
            "metrics.ConfusionMatrixDisplay(np.eye(2)).plot()",
            "(b.confusion_matrix == a.confusion_matrix).all() and b.ax_.figure is b.figure_",
        ),
    ],
)

NETWORKX = Library(
    "networkx",
    ("networkx",),
    """
import networkx as nx

def weighted():
    made = nx.Graph(name='g')
    made.add_edge('a', 'b', weight=2, tags=['x'])
    made.nodes['a']['rows'] = [1]
    return made

def same_graph(a, b):
    return (type(a) is type(b) and list(a.nodes(data=True)) == list(b.nodes(data=True))
            and list(a.edges(data=True)) == list(b.edges(data=True)) and a.graph == b.graph)
""",
    [
        Kind("Graph with attributes", "weighted()", "same_graph(a, b)"),
        Kind("attributes of an edge at both ends", "weighted()", "b['a']['b'] is b['b']['a']"),
        Kind(
            "DiGraph, MultiGraph, MultiDiGraph",
            "[nx.DiGraph([(1, 2)]), nx.MultiGraph([(1, 2), (1, 2)]), nx.MultiDiGraph([(1, 2)])]",
            "all(map(same_graph, a, b))",
        ),
        Kind(
            "subgraph view",
            "(lambda g: [g, g.subgraph([1, 2])])(nx.path_graph(4))",
            "list(b[1].edges) == [(1, 2)] and (b[0].remove_edge(1, 2) or not list(b[1].edges))",
        ),
        Kind("reverse view", "nx.DiGraph([(1, 2)]).reverse(copy=False)", "list(b.edges) == [(2, 1)]"),
        Kind("frozen graph", "nx.freeze(nx.path_graph(2))", "list(b.nodes) == [0, 1] and nx.is_frozen(b)"),
        Kind(
            "node and edge views",
            "(lambda g: [g, g.nodes, g.edges, g.adj, g.degree])(nx.path_graph(3))",
            "list(b[1]) == [0, 1, 2] and len(b[2]) == 2 and (b[0].add_node(9) or 9 in b[1])",
        ),
        Kind("shortest paths", "dict(nx.all_pairs_shortest_path_length(nx.path_graph(3)))"),
    ],
)

PYDANTIC = Library(
    "pydantic",
    ("pydantic",),
    """
import datetime, typing, pydantic

class Line(pydantic.BaseModel):
    sku: str
    count: int = 1
class Order(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra='allow')
    id: int
    lines: list[Line] = []
    _note: str = pydantic.PrivateAttr('private')
    @pydantic.field_validator('id')
    @classmethod
    def positive(cls, value):
        if value < 0: raise ValueError('negative')
        return value
    @pydantic.computed_field
    @property
    def size(self) -> int: return len(self.lines)
class Special(Order):
    extra_field: typing.Literal['s'] = 's'
class Frozen(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    at: datetime.date
T = typing.TypeVar('T')
class Envelope(pydantic.BaseModel, typing.Generic[T]):
    content: T
class Names(pydantic.RootModel[list[str]]):
    pass
@pydantic.dataclasses.dataclass
class Point:
    x: int

def invalid():
    try:
        Order(id=-1)
    except pydantic.ValidationError as error:
        return error

@pydantic.validate_call
def double(x: int) -> int: return x * 2

def works(model, data):
    return model.model_validate(data).model_dump()
""",
    [
        Kind(
            "model of the flow",
            "[Order, Order(id=1, lines=[Line(sku='a')], more=3)]",
            "a[1].model_dump() == b[1].model_dump() and type(b[1]) is b[0] and b[1]._note == 'private' and b[1].more == 3",
        ),
        Kind(
            "the model still validates",
            "Order",
            "works(b, {'id': '5'}) == works(a, {'id': '5'}) and b.model_json_schema() == a.model_json_schema()",
        ),
        Kind("fields that were set", "Order(id=1)", "b.model_fields_set == {'id'} and b.size == 0"),
        Kind("subclass", "Special(id=2)", "b.extra_field == 's' and b.model_dump() == a.model_dump()"),
        Kind("frozen model", "Frozen(at='2026-01-01')", "hash(b) is not None and b.at == a.at"),
        Kind(
            "generic model",
            "Envelope[int](content='5')",
            "b.content == 5 and works(type(b), {'content': '6'}) == {'content': 6}",
        ),
        Kind("RootModel", "Names(['a'])", "b.root == ['a']"),
        Kind(
            "model made by create_model",
            "pydantic.create_model('Made', a=(int, 3))()",
            "b.a == 3 and works(type(b), {'a': '4'}) == {'a': 4}",
        ),
        Kind("TypeAdapter", "pydantic.TypeAdapter(list[int])", "b.validate_python(['1']) == [1]", "rebuilt"),
        Kind("pydantic dataclass", "Point('3')", "b.x == 3 and type(b)('4').x == 4"),
        Kind("validate_call", "double", "b('4') == 8"),
        Kind("ValidationError", "invalid()", "b.errors()[0]['msg'] == a.errors()[0]['msg']", "rebuilt"),
        Kind(
            "SecretStr and HttpUrl",
            "[pydantic.SecretStr('s'), pydantic.HttpUrl('http://a/b')]",
            "a == b and b[0].get_secret_value() == 's'",
        ),
    ],
)

LIBRARIES = [LEARN, NETWORKX, PYDANTIC]
