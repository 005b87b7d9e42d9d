/*
 * The bitmap script in C: a linear first-fit search over 64-bit words, as lib/bitmap.c does it.
 * bitmap PAGES OCCUPANCY PAIRS -> checksum of every index returned, allocations per CPU second.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_ORDER 8
#define NONE UINT32_MAX

static uint64_t *words;
static uint32_t size, state = 1, hash;

struct held { uint32_t pfn, pages; };
static struct held *held;
static uint32_t live, used;

static uint32_t fmix(uint32_t z)
{
	z ^= z >> 16;
	z *= 0x85ebca6b;
	z ^= z >> 13;
	z *= 0xc2b2ae35;
	return z ^ z >> 16;
}

static uint32_t draw(void)
{
	return fmix(state += 0x9e3779b9);
}

/* First bit in [from, end) that differs from what `flip` says (0: first one, ~0: first zero), or end. */
static inline uint32_t find(uint32_t from, uint32_t end, uint64_t flip)
{
	uint32_t word = from / 64;
	uint64_t bits;

	if (from >= end)
		return end;
	bits = (words[word] ^ flip) & ~UINT64_C(0) << from % 64;
	while (!bits) {
		if (++word * 64 >= end)
			return end;
		bits = words[word] ^ flip;
	}
	from = word * 64 + __builtin_ctzll(bits);
	return from < end ? from : end;
}

static uint32_t search(uint32_t pages, uint32_t mask)
{
	uint32_t from = 0;

	for (;;) {
		uint32_t index = (find(from, size, ~UINT64_C(0)) + mask) & ~mask;
		uint32_t set;

		if (index + pages > size)
			return NONE;
		set = find(index, index + pages, 0);
		if (set == index + pages)
			return index;
		from = set + 1;
	}
}

static void change(uint32_t from, uint32_t pages, int set)
{
	uint32_t end = from + pages;

	while (from < end) {
		uint32_t bit = from % 64, n = 64 - bit < end - from ? 64 - bit : end - from;
		uint64_t mask = (n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << bit;

		if (set)
			words[from / 64] |= mask;
		else
			words[from / 64] &= ~mask;
		from += n;
	}
}

static int take(uint32_t pages)
{
	uint32_t order = pages <= 1 ? 0 : 32 - __builtin_clz(pages - 1);
	uint32_t index = search(pages, (1u << (order < MAX_ORDER ? order : MAX_ORDER)) - 1);

	hash = hash * 31 + index;
	if (index == NONE)
		return 0;
	change(index, pages, 1);
	held[live++] = (struct held){ index, pages };
	used += pages;
	return 1;
}

static void give(void)
{
	uint32_t k = draw() % live;

	change(held[k].pfn, held[k].pages, 0);
	used -= held[k].pages;
	held[k] = held[--live];
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	uint32_t target, pairs, i, pages;
	double from;

	if (argc != 4)
		return 2;
	size = atoi(argv[1]);
	target = (uint64_t)size * atoi(argv[2]) / 100;
	pairs = atoi(argv[3]);
	words = calloc(size / 64 + 1, sizeof(*words));
	held = malloc((size / 2 + 2) * sizeof(*held));
	for (;;) {
		pages = 2 + draw() % 63;
		if (used + pages > target || !take(pages))
			break;
	}
	from = cpu_seconds();
	for (i = 0; i < pairs; i++) {
		pages = 2 + draw() % 63;
		while (used + pages > target && live)
			give();
		if (!take(pages) && live)
			give();
	}
	printf("%08x %.0f\n", hash, pairs / (cpu_seconds() - from));
	return 0;
}
