// Text layout in any script (Pango) and PDF pages (Cairo). Install libpango1.0-dev and libcairo2-dev (Debian, Ubuntu) or
// pango-devel and cairo-devel (Fedora).
#include <cairo-pdf.h>
#include <cairo.h>
#include <pango/pangocairo.h>
