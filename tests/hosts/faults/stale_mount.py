"""stale_mount: a FUSE file system whose server stopped: it takes requests and answers none.

Run on the host as ``python3 -I -c TEXT PATH``; says ``mounted`` and stays. What waits for an answer
cannot even be killed, until this process ends. What the kernel and a server say to each other first
is answered (FUSE_INIT, fuse(4) and linux/fuse.h), as by an sshfs that lost its server later.
"""

import ctypes
import os
import struct
import sys

VERSION = (7, 31)
LARGEST_WRITE = 65536


def mount(path: str, fuse: int) -> None:
    """mount(2), as fusermount does it."""
    options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"manager:/share", os.fsencode(path), b"fuse.sshfs", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "mount")


def introduce(fuse: int) -> None:
    """Answer the first request, which asks who we are."""
    _, _, unique = struct.unpack_from("=IIQ", os.read(fuse, 1 << 17))
    answer = struct.pack("=IIIIHHIIHHI28x", *VERSION, 0, 0, 8, 6, LARGEST_WRITE, 1, 0, 0, 0)
    os.write(fuse, struct.pack("=IiQ", 16 + len(answer), 0, unique) + answer)


def main() -> None:
    """Mount, and read requests for ever."""
    fuse = os.open("/dev/fuse", os.O_RDWR)
    mount(sys.argv[1], fuse)
    introduce(fuse)
    print("mounted", flush=True)
    while os.read(fuse, 1 << 17):
        pass


main()
