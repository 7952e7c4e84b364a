#define _GNU_SOURCE
#include "blocking.h"

#if defined(__linux__)

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void enter(void *inside) {
	if (inside)
		__atomic_store_n((uint64_t *)inside, 1, __ATOMIC_RELEASE);
}

static int result(long rc) { return rc < 0 ? errno : 0; }

/* An open, empty file without a name. */
static int temporary(void) {
	char name[] = "/tmp/hangup-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

/* The same file again, with an open file description of its own. */
static int reopen(int fd) {
	char name[64];
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	return open(name, O_RDWR | O_CLOEXEC);
}

static int close_both(int a, int b, int rc) {
	close(a);
	close(b);
	return rc;
}

/* A child that locks fd, if that is not negative, and lives until *life is closed. */
static pid_t child(int fd, int *life) {
	int to[2], from[2];
	char c = 0;
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		struct flock l = { .l_type = F_WRLCK };
		close(to[1]);
		if (fd >= 0)
			fcntl(fd, F_SETLK, &l);
		if (write(from[1], &c, 1) == 1)
			while (read(to[0], &c, 1) < 0) {}
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	while (pid > 0 && read(from[0], &c, 1) < 0 && errno == EINTR) {}
	close(from[0]);
	*life = to[1];
	return pid;
}

/* Another child, forked meanwhile, may hold the other end of life open as long as it lives. */
static void end_child(pid_t pid, int life) {
	kill(pid, SIGKILL);
	close(life);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}

static int block_flock(void *inside) {
	int held = temporary(), fd = reopen(held);
	if (fd < 0 || flock(held, LOCK_EX))
		return -1;
	enter(inside);
	return close_both(held, fd, result(flock(fd, LOCK_EX)));
}

static int block_setlkw(void *inside) {
	struct flock l = { .l_type = F_WRLCK };
	int fd = temporary(), life;
	pid_t pid = fd < 0 ? -1 : child(fd, &life);
	if (pid < 0)
		return -1;
	enter(inside);
	int rc = result(fcntl(fd, F_SETLKW, &l));
	end_child(pid, life);
	close(fd);
	return rc;
}

static int block_ofd_setlkw(void *inside) {
	struct flock l = { .l_type = F_WRLCK };
	int held = temporary(), fd = reopen(held);
	if (fd < 0 || fcntl(held, F_OFD_SETLK, &l))
		return -1;
	enter(inside);
	return close_both(held, fd, result(fcntl(fd, F_OFD_SETLKW, &l)));
}

static int block_open_fifo(void *inside) {
	char dir[] = "/tmp/hangup-XXXXXX", name[64];
	if (!mkdtemp(dir))
		return -1;
	snprintf(name, sizeof name, "%s/fifo", dir);
	if (mkfifo(name, 0600))
		return -1;
	enter(inside);
	int fd = open(name, O_RDONLY | O_CLOEXEC), rc = result(fd);
	if (fd >= 0)
		close(fd);
	unlink(name);
	rmdir(dir);
	return rc;
}

static int block_read_pipe(void *inside) {
	char c;
	int fds[2];
	if (pipe2(fds, O_CLOEXEC))
		return -1;
	enter(inside);
	return close_both(fds[0], fds[1], result(read(fds[0], &c, 1)));
}

static int block_write_pipe(void *inside) {
	char page[4096] = {0};
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) || fcntl(fds[1], F_SETFL, O_NONBLOCK))
		return -1;
	while (write(fds[1], page, sizeof page) > 0 || errno == EINTR) {}
	fcntl(fds[1], F_SETFL, 0);
	enter(inside);
	return close_both(fds[0], fds[1], result(write(fds[1], page, 1)));
}

static int block_read_tty(void *inside) {
	char c, name[64];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, name, sizeof name))
		return -1;
	int tty = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty < 0)
		return -1;
	enter(inside);
	return close_both(master, tty, result(read(tty, &c, 1)));
}

static int block_read_eventfd(void *inside) {
	uint64_t n;
	int fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return -1;
	enter(inside);
	return close_both(fd, -1, result(read(fd, &n, sizeof n)));
}

static int block_read_inotify(void *inside) {
	char event[512];
	int fd = inotify_init1(IN_CLOEXEC);
	if (fd < 0)
		return -1;
	enter(inside);
	return close_both(fd, -1, result(read(fd, event, sizeof event)));
}

static int block_recv(void *inside) {
	char c;
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	enter(inside);
	return close_both(fds[0], fds[1], result(recv(fds[0], &c, 1, 0)));
}

/* A listener of the abstract namespace, with a name that the kernel chose. */
static int listener(struct sockaddr_un *a, socklen_t *len) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a->sun_family = AF_UNIX;
	if (fd < 0 || bind(fd, (struct sockaddr *)a, sizeof a->sun_family) || listen(fd, 0))
		return -1;
	*len = sizeof *a;
	return getsockname(fd, (struct sockaddr *)a, len) ? -1 : fd;
}

static int block_accept(void *inside) {
	struct sockaddr_un a;
	socklen_t len;
	int fd = listener(&a, &len);
	if (fd < 0)
		return -1;
	enter(inside);
	return close_both(fd, -1, result(accept(fd, NULL, NULL)));
}

static int block_connect(void *inside) {
	struct sockaddr_un a;
	socklen_t len;
	int l = listener(&a, &len), first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l < 0 || fd < 0 || connect(first, (struct sockaddr *)&a, len)) /* fills the backlog */
		return -1;
	enter(inside);
	int rc = result(connect(fd, (struct sockaddr *)&a, len));
	close(first);
	return close_both(l, fd, rc);
}

static int block_waitpid(void *inside) {
	int life;
	pid_t pid = child(-1, &life);
	if (pid < 0)
		return -1;
	enter(inside);
	int rc = result(waitpid(pid, NULL, 0));
	end_child(pid, life);
	return rc;
}

static int block_futex(void *inside) {
	uint32_t word = 0;
	enter(inside);
	return result(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
}

static int block_sem_wait(void *inside) {
	sem_t s;
	if (sem_init(&s, 0, 0))
		return -1;
	enter(inside);
	int rc = result(sem_wait(&s));
	sem_destroy(&s);
	return rc;
}

static int block_mq_receive(void *inside) {
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	char name[64], message[8];
	snprintf(name, sizeof name, "/hangup-%ld", (long)syscall(SYS_gettid));
	mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	if (q < 0)
		return -1;
	mq_unlink(name);
	enter(inside);
	int rc = result(mq_receive(q, message, sizeof message, NULL));
	mq_close(q);
	return rc;
}

static int block_nanosleep(void *inside) {
	struct timespec t = {3600, 0};
	enter(inside);
	return result(nanosleep(&t, NULL));
}

static int block_msgrcv(void *inside) {
	struct { long type; char text[8]; } message;
	int q = msgget(IPC_PRIVATE, 0600);
	if (q < 0)
		return -1;
	enter(inside);
	int rc = result(msgrcv(q, &message, sizeof message.text, 0, 0));
	msgctl(q, IPC_RMID, NULL);
	return rc;
}

static int block_semop(void *inside) {
	struct sembuf take = { .sem_op = -1 };
	int s = semget(IPC_PRIVATE, 1, 0600);
	if (s < 0)
		return -1;
	enter(inside);
	int rc = result(semop(s, &take, 1));
	semctl(s, 0, IPC_RMID);
	return rc;
}

static int block_select(void *inside) {
	enter(inside);
	return result(select(0, NULL, NULL, NULL, NULL));
}

static int block_poll(void *inside) {
	enter(inside);
	return result(poll(NULL, 0, -1));
}

static int block_epoll_wait(void *inside) {
	struct epoll_event e;
	int fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return -1;
	enter(inside);
	return close_both(fd, -1, result(epoll_wait(fd, &e, 1, -1)));
}

static int block_sigtimedwait(void *inside) {
	struct timespec t = {3600, 0};
	sigset_t none;
	sigemptyset(&none);
	enter(inside);
	return result(sigtimedwait(&none, NULL, &t));
}

static const struct {
	const char *name;
	int (*block)(void *inside);
} calls[] = {
	{"flock", block_flock},
	{"F_SETLKW", block_setlkw},
	{"F_OFD_SETLKW", block_ofd_setlkw},
	{"open of a FIFO", block_open_fifo},
	{"read of a pipe", block_read_pipe},
	{"write to a full pipe", block_write_pipe},
	{"read of a tty", block_read_tty},
	{"read of an eventfd", block_read_eventfd},
	{"read of inotify", block_read_inotify},
	{"recv", block_recv},
	{"accept", block_accept},
	{"connect", block_connect},
	{"waitpid", block_waitpid},
	{"futex wait", block_futex},
	{"sem_wait", block_sem_wait},
	{"mq_receive", block_mq_receive},
	{"nanosleep", block_nanosleep},
	{"msgrcv", block_msgrcv},
	{"semop", block_semop},
	{"select", block_select},
	{"poll", block_poll},
	{"epoll_wait", block_epoll_wait},
	{"sigtimedwait", block_sigtimedwait},
};

const char *ht_blocking_name(int i) {
	return i < (int)(sizeof calls / sizeof calls[0]) ? calls[i].name : NULL;
}

int ht_block(int i, void *inside) { return calls[i].block(inside); }

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* the holder's */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; /* of released, for the condition */
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int released;
static pthread_t holder;
static sem_t holding, release_it;

static void *hold(void *unused) {
	(void)unused;
	pthread_mutex_lock(&mutex);
	sem_post(&holding);
	while (sem_wait(&release_it)) {}
	pthread_mutex_lock(&guard);
	released = 1;
	pthread_cond_broadcast(&condition);
	pthread_mutex_unlock(&guard);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

int ht_mutex_hold(void) {
	released = 0;
	sem_init(&holding, 0, 0);
	sem_init(&release_it, 0, 0);
	pthread_create(&holder, NULL, hold, NULL);
	while (sem_wait(&holding)) {}
	return 0;
}

int ht_mutex_release(void) {
	sem_post(&release_it);
	return pthread_join(holder, NULL);
}

int ht_mutex_lock(void *inside) {
	enter(inside);
	int rc = pthread_mutex_lock(&mutex);
	int too_early = !released;
	pthread_mutex_unlock(&mutex);
	return rc ? rc : too_early;
}

int ht_mutex_wait(void *inside) {
	int rc = 0;
	pthread_mutex_lock(&guard);
	enter(inside);
	while (!released && rc == 0)
		rc = pthread_cond_wait(&condition, &guard);
	pthread_mutex_unlock(&guard);
	return rc;
}

static void do_nothing(int sig) { (void)sig; }

int ht_handle(int sig) {
	struct sigaction sa = { .sa_handler = do_nothing, .sa_flags = SA_ONSTACK };
	return sigaction(sig, &sa, NULL) ? errno : 0;
}

#else
int ht_handle(int sig) { (void)sig; return -1; }
const char *ht_blocking_name(int i) { (void)i; return 0; }
int ht_block(int i, void *inside) { (void)i, (void)inside; return -1; }
int ht_mutex_hold(void) { return 0; }
int ht_mutex_release(void) { return 0; }
int ht_mutex_lock(void *inside) { (void)inside; return 0; }
int ht_mutex_wait(void *inside) { (void)inside; return 0; }
#endif
