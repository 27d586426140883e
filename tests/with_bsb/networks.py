"""Networks for the tests with BSB: small enough to be compiled in a second or two."""

from bsb import MPI, Configuration, Scaffold, Storage


def configuration(**more):
    """Two cell types in one layer of four chunks, one connected to the other.

    :param more: parts that are added, such as `after_placement`, or lists, such as `morphologies`.
    """
    cell = {"spatial": {"radius": 2, "density": 1e-4}}
    parts: dict[str, dict] = {
        "network": {"x": 100, "y": 100, "z": 100, "chunk_size": [50, 50, 100]},
        "partitions": {"layer": {"type": "layer", "thickness": 100}},
        "cell_types": {"a": cell, "b": cell},
        "placement": {
            f"place_{name}": {
                "strategy": "bsb.placement.RandomPlacement",
                "cell_types": [name],
                "partitions": ["layer"],
            }
            for name in "ab"
        },
        "connectivity": {
            "a_to_b": {
                "strategy": "bsb.connectivity.FixedIndegree",
                "indegree": 2,
                "presynaptic": {"cell_types": ["a"]},
                "postsynaptic": {"cell_types": ["b"]},
            }
        },
    }
    added = {name: {**parts.get(name, {}), **each} if isinstance(each, dict) else each for name, each in more.items()}
    return Configuration.default(**parts | added)


def network(folder, **more):
    """A network that is to be compiled, in a file in the folder that main has."""
    return Scaffold(configuration(**more), Storage("hdf5", str(MPI.bcast(folder) / "network.hdf5")), clear=True)
