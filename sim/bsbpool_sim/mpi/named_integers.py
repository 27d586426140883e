"""Integers that MPI gives a name to, with the numbers that MPICH gives them.

Those that calls of simulated ranks give a meaning to beyond their number are in `constants`, or in the chapter that
they are of. What is in a chapter comes first; this table has all others, so that no name is missing.
"""

from .file_modes import FILE_NUMBERS

NUMBERS = {
    **FILE_NUMBERS,
    # Keys of attributes of COMM_WORLD and of windows.
    "KEYVAL_INVALID": 603979776, "IO": 1681915909, "WTIME_IS_GLOBAL": 1681915911, "UNIVERSE_SIZE": 1681915913,
    "LASTUSEDCODE": 1681915915, "APPNUM": 1681915917, "WIN_BASE": 1711276033, "WIN_CREATE_FLAVOR": 1711276039,
    "WIN_DISP_UNIT": 1711276037, "WIN_FLAVOR": 1711276039, "WIN_MODEL": 1711276041, "WIN_SIZE": 1711276035,
    # Flavours and models of windows.
    "WIN_FLAVOR_ALLOCATE": 2, "WIN_FLAVOR_CREATE": 1, "WIN_FLAVOR_DYNAMIC": 3, "WIN_FLAVOR_SHARED": 4,
    "WIN_SEPARATE": 1, "WIN_UNIFIED": 2,
    # How a datatype was made, and of which class it is.
    "COMBINER_CONTIGUOUS": 3, "COMBINER_DARRAY": 14, "COMBINER_DUP": 2, "COMBINER_F90_COMPLEX": 16,
    "COMBINER_F90_INTEGER": 17, "COMBINER_F90_REAL": 15, "COMBINER_HINDEXED": 9, "COMBINER_HINDEXED_BLOCK": 19,
    "COMBINER_HVECTOR": 6, "COMBINER_INDEXED": 7, "COMBINER_INDEXED_BLOCK": 10, "COMBINER_NAMED": 1,
    "COMBINER_RESIZED": 18, "COMBINER_STRUCT": 12, "COMBINER_SUBARRAY": 13, "COMBINER_VALUE_INDEX": 20,
    "COMBINER_VECTOR": 4, "DISTRIBUTE_BLOCK": 121, "DISTRIBUTE_CYCLIC": 122, "DISTRIBUTE_DFLT_DARG": -49767,
    "DISTRIBUTE_NONE": 123, "ORDER_C": 56, "ORDER_F": 57, "ORDER_FORTRAN": 57, "TYPECLASS_COMPLEX": 3,
    "TYPECLASS_INTEGER": 2, "TYPECLASS_LOGICAL": 4, "TYPECLASS_REAL": 1,
    # Kinds of topologies, and of communicators by what their ranks share.
    "CART": 2, "GRAPH": 1, "DIST_GRAPH": 3, "COMM_TYPE_HW_GUIDED": 2, "COMM_TYPE_HW_UNGUIDED": 3,
    "COMM_TYPE_RESOURCE_GUIDED": 4,
    # Lengths of texts.
    "MAX_ERROR_STRING": 512, "MAX_INFO_KEY": 255, "MAX_INFO_VAL": 1024,
    "MAX_LIBRARY_VERSION_STRING": 8192, "MAX_OBJECT_NAME": 128, "MAX_PORT_NAME": 1024, "MAX_PROCESSOR_NAME": 128,
    "MAX_PSET_NAME_LEN": 256, "MAX_STRINGTAG_LEN": 256,
    # A status in Fortran.
    "F_ERROR": 4, "F_SOURCE": 2, "F_STATUS_SIZE": 5, "F_TAG": 3,
}  # fmt: skip
