#include <zlib.h>

/// `inflateInit2` is a macro, which Swift does not see. 32 + 15: zlib's or gzip's header, whichever comes.
static inline int tollgate_inflate_init(z_streamp stream) { return inflateInit2(stream, 32 + 15); }

/// The same for `deflateInit2`, writing gzip: tests play engines that compress.
static inline int tollgate_deflate_init(z_streamp stream) {
    return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY);
}
