/* The mutants of the script: hunks of mutants.txt on Lua text. */
#ifndef SPEC_MUTANTS_H
#define SPEC_MUTANTS_H

/* A copy of `script` with the Lua hunks of `name` applied; the caller frees it. Exits with a
 * message if there is none, or a hunk does not occur exactly once. */
char *mutants_script(const char *file, const char *name, const char *script);

/* The whole of a file, to be freed. Exits with a message if it cannot be read. */
char *mutants_read(const char *path);

#endif
