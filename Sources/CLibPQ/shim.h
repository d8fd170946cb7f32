// The PostgreSQL client library. Install libpq-dev (Debian, Ubuntu) or libpq-devel (Fedora).
#include <libpq-fe.h>
// Wakes the thread that waits for notifications; Swift's Glibc module leaves it out.
#include <sys/eventfd.h>
