/* "Did you mean ...?": the nearest word by edits (insert, delete, replace, swap of neighbours). */
#include "cli.h"

#include <string.h>

enum { WORD_MAX = 40, EDITS_MAX = 3 };

static int min3(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

static int edits(const char *a, const char *b)
{
    int cost[WORD_MAX + 1][WORD_MAX + 1];
    int rows = (int)strlen(a), columns = (int)strlen(b);
    if (rows > WORD_MAX || columns > WORD_MAX)
        return WORD_MAX;
    for (int i = 0; i <= rows; i++) {
        for (int j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            int replaced = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            cost[i][j] = min3(cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                cost[i - 2][j - 2] + 1 < cost[i][j])
                cost[i][j] = cost[i - 2][j - 2] + 1;
        }
    }
    return cost[rows][columns];
}

/* A beginning of a word is near it however much is missing. */
static int distance(const char *word, const char *candidate)
{
    size_t length = strlen(word);
    if (length >= 2 && strncmp(word, candidate, length) == 0)
        return 1;
    return edits(word, candidate);
}

/* Further away it is another word: force-close is no mistyped force-open. */
static int reach(const char *word)
{
    const int third = (int)(strlen(word) + 1) / 3;
    return third < EDITS_MAX ? third : EDITS_MAX;
}

const char *cli_nearest(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    int best_distance = 1 + reach(word);
    for (; *candidates; candidates++) {
        int d = distance(word, *candidates);
        if (d < best_distance) {
            best = *candidates;
            best_distance = d;
        }
    }
    return best;
}
