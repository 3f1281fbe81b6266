// The seam between Go and V8: C functions over one opaque struct an isolate.
#ifndef NANO_BRIDGE_H
#define NANO_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nano_cell nano_cell;

// What a call into V8 ended with.
enum {
  NANO_OK = 0,
  NANO_THROWN = 1,      // nano_error has the message and the stack
  NANO_TERMINATED = 2,  // ended by nano_terminate or by the heap limit
  NANO_PENDING = 3,     // nano_load: the module awaits something at top level
};

// Why the cell was terminated, as far as the bridge knows.
enum { NANO_WHY_NONE = 0, NANO_WHY_CPU = 1, NANO_WHY_MEMORY = 2, NANO_WHY_CLOSED = 3 };

typedef struct {
  uint64_t heap_used, heap_total, heap_limit, external, buffers, malloced;
} nano_stats;

// A stretch of memory that belongs to the callee: valid until the next call with the
// same cell.
typedef struct {
  const uint8_t* data;
  size_t size;
} nano_bytes;

const char* nano_v8_version(void);

// nano_init starts V8; once a process.
void nano_init(const char* flags);

// A start-up snapshot. It is never freed.
typedef struct nano_snapshot nano_snapshot;

// nano_take evaluates the prelude and returns a snapshot, or NULL and the reason in
// *error (malloc'ed). The prelude must be ASCII, and stay where it is for ever.
nano_snapshot* nano_take(const char* prelude, size_t size, char** error);

// nano_snapshot_data is a snapshot's bytes, and nano_restore makes one of them: in the
// same program, and of the same prelude.
nano_bytes nano_snapshot_data(const nano_snapshot*);
nano_snapshot* nano_restore(const char* prelude, size_t size, const void* data, size_t data_size);

// nano_new makes an isolate with its context. limit is the most that its heap and its
// array buffers may hold, in bytes; id comes back in nanoPark.
nano_cell* nano_new(const nano_snapshot*, uint64_t limit, uint64_t id);

// nano_label says whose isolate it is, before anything runs in it, and nano_mark what logs
// call a request: that is what the record of a crash says. A label has no line break, a
// name is one word.
void nano_label(nano_cell*, const char* label, size_t size);
void nano_mark(nano_cell*, uint32_t id, const char* name, size_t size);

// nano_record has a line appended to a file when a signal ends the process that came to a
// thread which ran JavaScript: the time (Unix ns), the label, and the request's name or "-".
void nano_record(int file);

// An app's module: its code, what stack traces call it, the app's environment as JSON,
// what nano_cache gave for the same code, if anything, and whether it has static files.
typedef struct {
  const char *source, *name, *env;
  size_t source_size, name_size, env_size;
  nano_bytes cache;
  bool assets;
} nano_module;

// nano_load evaluates the app's module. When it returns NANO_OK the handler was found.
int nano_load(nano_cell*, const nano_module*, int* cache_rejected);

// nano_settle finishes a load that was NANO_PENDING, if the module is through.
int nano_settle(nano_cell*);

// nano_cache serialises the compiled module, with the functions compiled so far.
nano_bytes nano_cache(nano_cell*);

// nano_tick delivers messages until all are delivered, the budget (ns, wall clock) is
// spent or the isolate is terminated. *consumed counts bytes of whole messages that
// were begun. What JavaScript posted is in nano_out.
int nano_tick(nano_cell*, const uint8_t* in, size_t size, uint32_t number, uint64_t budget, size_t* consumed);

// nano_took is how much processor time (ns) the last call took since it last yielded.
int64_t nano_took(nano_cell*);

nano_bytes nano_out(nano_cell*);
nano_bytes nano_error(nano_cell*);

// The rest may be called from any thread while the cell runs.

// nano_slice tells the message that runs now: 0 when none does, else a number that
// grows by one a message; *blame the request it runs for, *thread the kernel's id of
// its thread, *tick the number of the tick that came last, *begun how many of its bytes were begun, *start the thread's processor
// time (ns) when its turn began.
uint64_t nano_slice(nano_cell*, uint32_t* blame, int* thread, uint32_t* tick, uint32_t* begun, int64_t* start);
void nano_terminate(nano_cell*, int why);
int nano_why(nano_cell*);
// nano_check_memory has the running JavaScript interrupted, measured, and terminated
// where it holds more than its limit.
void nano_check_memory(nano_cell*);

// nano_checked is what such a look has found since nano_measure; heap_total is 0 if there
// was none.
nano_stats nano_checked(nano_cell*);

// nano_yield has the running JavaScript call nanoYield as soon as it can be interrupted.
void nano_yield(nano_cell*);
// nano_freeze is for a run that was given up: it stops its thread for good, where the
// thread is in generated code just then, and says whether it stands still.
int nano_freeze(nano_cell*, int thread);
// nano_lost_workers counts threads of V8's own that wait for ever, since they ran out
// of memory.
int nano_lost_workers(void);

// The rest only while it doesn't run.
nano_stats nano_measure(nano_cell*);
// nano_collect gives back what memory the isolate can do without.
void nano_collect(nano_cell*);
void nano_dispose(nano_cell*);
// nano_trim gives freed memory back to the system; any thread may call it.
void nano_trim(void);

#ifdef __cplusplus
}
#endif
#endif
