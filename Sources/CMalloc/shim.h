// The C library's allocator: Swift's module of that library leaves this header out.
#include <malloc.h>
