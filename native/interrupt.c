/*
 * Frees a thread from a blocking system call by a signal.
 *
 *   section:  out --enter--> IN --leave--> leaving --kickers 0, acked == sent--> out
 *   kicker:   word has IN --CAS +KICKER--> sent + 1, signal, -KICKER
 *   handler:  on the thread inside, which is in IN or leaving: acked + 1
 *
 * A kicker takes its reference only while IN is set, and leave takes IN away before
 * it waits for the references: either the kicker comes first and leave waits for
 * its signal, or leave comes first and the kicker's CAS fails. The tid is read under the
 * reference: it is the tid of whoever is inside now, and that thread can't be gone.
 * A kicker that slept between its load and its CAS while the section was left and
 * entered again kicks the section that it finds: Go joins its kickers before it
 * hands a section to another call.
 *
 * The signal carries the section's address, so a signal from elsewhere is never
 * taken for ours, and one of ours knows its section also where they are nested. One
 * that lands before the system call is lost; Go kicks again until the call returns.
 */
#define _GNU_SOURCE
#include "interrupt.h"

#include <errno.h>
#include <stdlib.h>

#if defined(__linux__)

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { IN = 1, KICKER = 2 };

/* Written once, by install, before any signal is sent. */
static int the_signal;
static struct sigaction previous;
static uintptr_t go_handler;

static uint64_t sent_total, inside_total, outside_total;

/* The thread's innermost section. Initial-exec, as any other model may allocate on
 * first use, which a handler must not. Written by its thread alone. */
static __thread hangup_section *innermost __attribute__((tls_model("initial-exec")));

static uint32_t load(uint32_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }

static uintptr_t handler_of(const struct sigaction *sa) {
	return sa->sa_flags & SA_SIGINFO ? (uintptr_t)sa->sa_sigaction : (uintptr_t)sa->sa_handler;
}

static void call_previous(int sig, siginfo_t *info, void *context) {
	if (previous.sa_flags & SA_SIGINFO)
		previous.sa_sigaction(sig, info, context);
	/* else SIG_DFL, as install takes nothing else. Sent by somebody else, it
	 * would have ended the program; it is ignored. */
}

static void acknowledge(hangup_section *s) {
	__atomic_fetch_add(&inside_total, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->acked, 1, __ATOMIC_SEQ_CST); /* last: the section may be left now */
}

static void handle(int sig, siginfo_t *info, void *context) {
	int saved = errno;
	if (info->si_code == SI_QUEUE && info->si_pid == getpid()) {
		for (hangup_section *s = innermost; s; s = s->outer) {
			if (s == info->si_value.sival_ptr) {
				acknowledge(s);
				errno = saved;
				return;
			}
		}
		__atomic_fetch_add(&outside_total, 1, __ATOMIC_RELAXED);
	}
	call_previous(sig, info, context);
	errno = saved;
}

static int is_ours(const struct sigaction *sa) {
	return (sa->sa_flags & SA_SIGINFO) && sa->sa_sigaction == handle;
}

int hangup_default_signal(void) {
#if defined(__GLIBC__)
	return SIGRTMIN; /* 34: the one real-time signal that the Go runtime never touches */
#else
	return SIGRTMIN + 1; /* musl uses 34, bionic up to 39 */
#endif
}

void hangup_chain(uintptr_t handler) { go_handler = handler; }

/* Nobody's, or the Go runtime's, which has one on every signal from 35 up. */
static int is_free(const struct sigaction *sa) {
	if (sa->sa_flags & SA_SIGINFO)
		return go_handler && handler_of(sa) == go_handler;
	return sa->sa_handler == SIG_DFL;
}

/* Signal 0 is checked and not sent: a sandbox may forbid the system call. */
static int can_send(void) {
	siginfo_t nothing = { .si_code = SI_QUEUE };
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), 0, &nothing) == 0;
}

int hangup_install(int sig, uintptr_t *owner) {
	struct sigaction ours = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigset_t blocked;
	if (sig < SIGRTMIN || sig > SIGRTMAX || sigaction(sig, NULL, &previous))
		return EINVAL;
	*owner = handler_of(&previous);
	if (!is_free(&previous))
		return EBUSY;
	if (pthread_sigmask(SIG_SETMASK, NULL, &blocked) || sigismember(&blocked, sig))
		return EDEADLK;
	if (!can_send())
		return errno;
	sigfillset(&ours.sa_mask); /* as Go's own: no handler on top of this one */
	__atomic_store_n(&the_signal, sig, __ATOMIC_SEQ_CST);
	return sigaction(sig, &ours, NULL) ? errno : 0;
}

static int installed(uintptr_t *owner) {
	struct sigaction sa;
	if (sigaction(the_signal, NULL, &sa))
		return errno;
	*owner = handler_of(&sa);
	return is_ours(&sa) ? 0 : EBUSY;
}

hangup_section *hangup_section_new(void) { return calloc(1, sizeof(hangup_section)); }

/* Blocks or unblocks the signal on this thread, and says whether it was blocked. */
static int block(int how) {
	sigset_t ours, before;
	sigemptyset(&ours);
	sigaddset(&ours, the_signal);
	pthread_sigmask(how, &ours, &before);
	return sigismember(&before, the_signal);
}

int hangup_section_enter(hangup_section *s, uintptr_t *owner) {
	static __thread pid_t tid __attribute__((tls_model("initial-exec")));
	int err = installed(owner);
	if (err)
		return err;
	if (tid == 0)
		tid = (pid_t)syscall(SYS_gettid);
	s->blocked = block(SIG_UNBLOCK);
	s->outer = innermost;
	s->sent = s->acked = 0; /* nobody else is here: IN is not set */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	innermost = s; /* a signal can come from the next line on */
	__atomic_store_n(&s->tid, tid, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&s->word, IN, __ATOMIC_SEQ_CST);
	return 0;
}

/* If the function has blocked the signal, it is never handled: it is taken off the queue. */
static void take_blocked(hangup_section *s) {
	struct timespec now = {0, 0};
	sigset_t blocked, ours;
	siginfo_t info;
	if (pthread_sigmask(SIG_SETMASK, NULL, &blocked) || !sigismember(&blocked, the_signal))
		return;
	sigemptyset(&ours);
	sigaddset(&ours, the_signal);
	if (sigtimedwait(&ours, &info, &now) != the_signal)
		return;
	if (info.si_code == SI_QUEUE && info.si_value.sival_ptr == s)
		acknowledge(s);
	else
		syscall(SYS_rt_sigqueueinfo, getpid(), the_signal, &info); /* not ours: back */
}

static void pause_a_little(int tries) {
	struct timespec t = {0, 50000};
	if (tries < 100)
		sched_yield();
	else
		nanosleep(&t, NULL);
}

void hangup_section_leave(hangup_section *s) {
	__atomic_fetch_and(&s->word, ~(uint32_t)IN, __ATOMIC_SEQ_CST);
	/* A kicker is between its CAS and the end of one system call. */
	for (int tries = 0; load(&s->word) != 0; tries++)
		pause_a_little(tries);
	/* Every signal has been sent: it is handled at our next system call. */
	for (int tries = 0; load(&s->acked) != load(&s->sent); tries++) {
		uintptr_t owner;
		pause_a_little(tries);
		take_blocked(s);
		if (installed(&owner))
			break; /* taken from us with the signal on its way: it is never ours to handle */
	}
	innermost = s->outer;
	if (s->blocked)
		block(SIG_BLOCK);
}

static void send(hangup_section *s) {
	uintptr_t owner;
	siginfo_t info = { .si_code = SI_QUEUE };
	uint32_t handled = load(&s->acked);
	if (installed(&owner))
		return; /* taken from us: its new owner must not see our signals */
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = s;
	/* One at a time, as real-time signals queue up; counted before the handler does. */
	if (!__atomic_compare_exchange_n(&s->sent, &handled, handled + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	__atomic_fetch_add(&sent_total, 1, __ATOMIC_RELAXED);
	if (syscall(SYS_rt_tgsigqueueinfo, info.si_pid, s->tid, the_signal, &info)) {
		__atomic_fetch_sub(&sent_total, 1, __ATOMIC_RELAXED); /* the queue is full, say */
		__atomic_fetch_sub(&s->sent, 1, __ATOMIC_SEQ_CST);
	}
}

void hangup_section_kick(hangup_section *s) {
	uint32_t word = load(&s->word);
	do {
		if (!(word & IN))
			return; /* leave came first, or nobody has entered yet */
	} while (!__atomic_compare_exchange_n(&s->word, &word, word + KICKER, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	send(s);
	__atomic_fetch_sub(&s->word, KICKER, __ATOMIC_SEQ_CST);
}

void hangup_signal_counts(uint64_t *sent, uint64_t *inside, uint64_t *outside) {
	*sent = __atomic_load_n(&sent_total, __ATOMIC_RELAXED);
	*inside = __atomic_load_n(&inside_total, __ATOMIC_RELAXED);
	*outside = __atomic_load_n(&outside_total, __ATOMIC_RELAXED);
}

#else /* no rt_tgsigqueueinfo: hangup_default_signal says so, and nothing else is called */

int hangup_default_signal(void) { return 0; }
void hangup_chain(uintptr_t handler) { (void)handler; }
int hangup_install(int sig, uintptr_t *owner) { (void)sig, (void)owner; return ENOSYS; }
hangup_section *hangup_section_new(void) { return calloc(1, sizeof(hangup_section)); }
int hangup_section_enter(hangup_section *s, uintptr_t *owner) { (void)s, (void)owner; return ENOSYS; }
void hangup_section_leave(hangup_section *s) { (void)s; }
void hangup_section_kick(hangup_section *s) { (void)s; }
void hangup_signal_counts(uint64_t *sent, uint64_t *inside, uint64_t *outside) { *sent = *inside = *outside = 0; }

#endif
