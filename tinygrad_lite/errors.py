"""Every error this library raises on purpose, so that one `except` catches them all.

    TinygradLiteError
    ├── ShapeError               (ValueError)      shapes that do not fit together
    ├── IndexingError            (IndexError)      an index outside the array it is applied to
    ├── DtypeError               (TypeError)       a dtype that cannot be computed or differentiated
    ├── ArgumentError            (ValueError)      a value outside what a function accepts
    ├── UnsupportedError         (TypeError)       a NumPy feature that Tensors refuse, with what to use instead
    │   └── UnsupportedAttributeError (AttributeError) an attribute of arrays that Tensors do not have
    ├── DefinitionError          (TypeError)       a primitive, module, objective or rule declared wrongly
    ├── GraphError               (RuntimeError)    a graph that cannot be swept, traced or drawn as asked
    │   └── CompilationError     (of programs)     a function that cannot be compiled, or whose program does otherwise
    ├── DetachError              (TypeError)       a conversion that would cut the graph, or a trace, without a word
    ├── ObjectiveError           (ValueError)      terms whose senses clash, or a loss fed the wrong prediction
    ├── StateError               (ValueError)      a state dict that does not fit its module or optimizer
    ├── DataError                (ValueError)      a file that is not what it claims to be
    ├── ExperimentError          (ValueError)      a declared experiment that cannot be, or cannot be run here
    │   └── SectionError         (of experiments)  settings of a section that cannot be, all of them
    ├── DivergenceError          (ArithmeticError) training whose objective is no longer a number
    ├── AnomalyError             (FloatingPointError)  a value that is not finite, found by detect_anomaly()
    ├── MissingDependencyError   (ImportError)     an optional package is needed; the message names the extra
    ├── ConformanceError         (AssertionError)  a primitive that does not do what the engine relies on
    └── GradientMismatchError    (AssertionError)  a gradient check that failed, raised by the report

Each class also derives from the built-in exception that a caller would expect, so existing handlers keep working.
"""


class TinygradLiteError(Exception):
    """The root of every error raised on purpose by this library."""


class ShapeError(TinygradLiteError, ValueError):
    """Shapes do not fit together."""


class IndexingError(TinygradLiteError, IndexError):
    """An index lies outside the array it is applied to."""


class DtypeError(TinygradLiteError, TypeError):
    """A dtype cannot be computed with, or cannot carry a gradient."""


class ArgumentError(TinygradLiteError, ValueError):
    """A value lies outside what the function accepts."""


class UnsupportedError(TinygradLiteError, TypeError):
    """A NumPy feature that Tensors refuse; the message names what to use instead."""


class UnsupportedAttributeError(UnsupportedError, AttributeError):
    """An attribute of arrays that Tensors do not have; `hasattr` and `getattr` with a default take it for that."""


class DefinitionError(TinygradLiteError, TypeError):
    """A primitive, module, objective or rule was declared wrongly."""


class GraphError(TinygradLiteError, RuntimeError):
    """A backward sweep cannot start from here, or a graph cannot be traced or drawn as asked."""


class CompilationError(GraphError):
    """A function does what a program cannot do again, or its program does not do what it does."""


class DetachError(TinygradLiteError, TypeError):
    """A conversion would silently cut a Tensor off its graph, or make a constant of what is traced."""


class ObjectiveError(TinygradLiteError, ValueError):
    """Terms of an objective clash, or a loss was fed a prediction it must not see."""


class StateError(TinygradLiteError, ValueError):
    """A state dict does not fit the module or optimizer it is loaded into."""


class DataError(TinygradLiteError, ValueError):
    """A file is not what it claims to be."""


class ExperimentError(TinygradLiteError, ValueError):
    """A declared experiment cannot be, or cannot be run where it was asked to; the message names the setting."""


class DivergenceError(TinygradLiteError, ArithmeticError):
    """The objective of a training run is no longer a finite number."""


class AnomalyError(TinygradLiteError, FloatingPointError):
    """A value that is not finite, found by `detect_anomaly`; the message names where it arose and the remedy."""


class MissingDependencyError(TinygradLiteError, ImportError):
    """An optional package is missing; the message names the extra to install."""


class ConformanceError(TinygradLiteError, AssertionError):
    """A primitive does not do what the engine relies on; the message is the report of the conformance kit."""


class GradientMismatchError(TinygradLiteError, AssertionError):
    """A gradient check found a wrong gradient."""


class CompilationWarning(RuntimeWarning):
    """What was to be compiled is not, and runs as it is written, or is compiled over and over; the message says why."""
