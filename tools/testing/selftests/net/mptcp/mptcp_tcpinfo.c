// SPDX-License-Identifier: GPL-2.0

/* What getsockopt(SOL_MPTCP, MPTCP_TCPINFO) returns, what it refuses, and
 * which user memory it writes, and when, if it fails half-way.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/socket.h>

#include <linux/ipv6.h>
#include <linux/mptcp.h>
#include <linux/tcp.h>

#include "kselftest_harness.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

#define CANARY		0xa5
#define MAX_SUBFLOWS	3
#define REQUEST_LEN	1000
#define REPLY_LEN	3000

/* More than the kernel's struct tcp_info, which may differ from ours. */
#define TI_MAX		512
#define BUF_SIZE	8192

#define HDR_SIZE	sizeof(struct mptcp_subflow_data)
#define HDR(size, elem)	((struct mptcp_subflow_data) {			\
				.size_subflow_data = (size),		\
				.size_user = (elem),			\
			})

/* Within struct tcp_info, the times that have passed since some event. */
#define TIMES		offsetof(struct tcp_info, tcpi_last_data_sent)
#define TIMES_END	offsetof(struct tcp_info, tcpi_pmtu)

/* linux/tcp.h has no names for them, netinet/tcp.h cannot be included too. */
enum {
	TCP_ESTABLISHED = 1,
	TCP_CLOSE = 7,
	TCP_LISTEN = 10,
};

/* The subflows as MPTCP_FULL_INFO, the reference, reports them. */
struct subflows {
	__u32 num;
	__u32 size;				/* of one of the elements */
	unsigned char ti[MAX_SUBFLOWS * TI_MAX];
};

static void get_reference(struct __test_metadata *_metadata, int fd,
			  struct subflows *ref)
{
	struct mptcp_full_info mfi = {
		.size_tcpinfo_user = TI_MAX,
		.size_arrays_user = MAX_SUBFLOWS,
		.tcp_info = (uintptr_t)ref->ti,
	};
	socklen_t len = offsetof(struct mptcp_full_info, mptcp_info);

	memset(ref, 0, sizeof(*ref));
	ASSERT_EQ(getsockopt(fd, SOL_MPTCP, MPTCP_FULL_INFO, &mfi, &len), 0);
	ASSERT_LE(mfi.num_subflows, MAX_SUBFLOWS);
	ASSERT_LE(mfi.size_tcpinfo_kernel, TI_MAX);

	ref->num = mfi.num_subflows;
	ref->size = mfi.size_tcpinfo_kernel;
}

static bool all_established(const struct subflows *ref, unsigned int num)
{
	unsigned int i;

	for (i = 0; i < ref->num; i++)
		if (ref->ti[i * ref->size] != TCP_ESTABLISHED)
			return false;

	return ref->num == num;
}

static void hide_times(unsigned char *ti, size_t size)
{
	if (size > TIMES)
		memset(ti + TIMES, 0, MIN(size, TIMES_END) - TIMES);
}

static bool same_but_times(struct subflows a, struct subflows b)
{
	unsigned int i;

	for (i = 0; i < MAX_SUBFLOWS; i++) {
		hide_times(a.ti + i * a.size, a.size);
		hide_times(b.ti + i * b.size, b.size);
	}

	return !memcmp(&a, &b, sizeof(a));
}

static void check_times(struct __test_metadata *_metadata,
			const unsigned char *before, const unsigned char *got,
			const unsigned char *after, size_t size)
{
	__u32 lo, t, hi;
	size_t off;

	for (off = TIMES; off < MIN(size, TIMES_END); off += sizeof(t)) {
		memcpy(&lo, before + off, sizeof(lo));
		memcpy(&t, got + off, sizeof(t));
		memcpy(&hi, after + off, sizeof(hi));
		EXPECT_LE(lo, t);
		EXPECT_LE(t, hi);
	}
}

static int get_tcpinfo(int fd, void *optval, void *optlen)
{
	return getsockopt(fd, SOL_MPTCP, MPTCP_TCPINFO, optval, optlen) ?
	       -errno : 0;
}

/* Expect that a request with a header of @hdr bytes, elements of @size_user
 * bytes and @room bytes for them succeeds and gets @copied elements: compare
 * each byte of a large buffer, those that must not be written included.
 */
static void expect_copied(struct __test_metadata *_metadata, int fd, __u32 hdr,
			  __u32 size_user, __u32 room, __u32 copied)
{
	unsigned char got[BUF_SIZE], want[BUF_SIZE];
	struct mptcp_subflow_data d;
	struct subflows ref, after;
	int len, ret, want_len;
	unsigned int i;
	__u32 size;

	/* The content is only known if nothing has happened meanwhile. */
	do {
		d = HDR(hdr, size_user);
		memset(got, CANARY, sizeof(got));
		memcpy(got, &d, sizeof(d));
		len = hdr + room;

		get_reference(_metadata, fd, &ref);
		ret = get_tcpinfo(fd, got, &len);
		get_reference(_metadata, fd, &after);
	} while (!same_but_times(ref, after));

	size = MIN(size_user, ref.size);
	d.num_subflows = ref.num;
	d.size_kernel = ref.size;
	d.size_user = size;
	memset(want, CANARY, sizeof(want));
	memcpy(want, &d, sizeof(d));

	for (i = 0; i < copied; i++) {
		unsigned char *elem = got + hdr + i * size;
		size_t off = i * ref.size;

		check_times(_metadata, ref.ti + off, elem, after.ti + off,
			    size);
		hide_times(elem, size);
		hide_times(ref.ti + off, size);
		memcpy(want + hdr + i * size, ref.ti + off, size);
	}

	/* An extension of the header only counts if elements follow it. */
	want_len = HDR_SIZE;
	if (copied && size)
		want_len = hdr + copied * size;

	for (i = 0; i < BUF_SIZE && got[i] == want[i]; i++)
		;

	EXPECT_EQ(ret, 0);
	EXPECT_EQ(len, want_len);
	EXPECT_EQ(i, BUF_SIZE) {
		TH_LOG("byte %u is %#x, not %#x", i, got[i], want[i]);
	}
	if (ret || len != want_len || i != BUF_SIZE)
		TH_LOG("header %u, size_user %u, room %u: %u of %u elements",
		       hdr, size_user, room, copied, ref.num);
}

/* Expect -@err, and that nothing has been written. */
static void expect_refused(struct __test_metadata *_metadata, int fd, int err,
			   struct mptcp_subflow_data d, int optlen)
{
	unsigned char got[BUF_SIZE], want[BUF_SIZE];
	int len = optlen, ret;

	memset(want, CANARY, sizeof(want));
	memcpy(want, &d, sizeof(d));
	memcpy(got, want, sizeof(got));

	ret = get_tcpinfo(fd, got, &len);
	EXPECT_EQ(ret, -err);
	EXPECT_EQ(len, optlen);
	EXPECT_EQ(memcmp(got, want, sizeof(got)), 0);
	if (ret != -err || len != optlen || memcmp(got, want, sizeof(got)))
		TH_LOG("optlen %d, header { %u, %u, %u, %u }", optlen,
		       d.size_subflow_data, d.num_subflows, d.size_kernel,
		       d.size_user);
}

static const char *addr_str(int family, unsigned int i)
{
	static const char * const v4[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3" };
	static const char * const v6[] = { "::1", "fd00::2", "fd00::3" };

	return family == AF_INET ? v4[i] : v6[i];
}

static int bind_to(int fd, int family, unsigned int i)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr = { .sa.sa_family = family };
	void *ip = &addr.v6.sin6_addr;
	socklen_t len = sizeof(addr.v6);

	if (family == AF_INET) {
		ip = &addr.v4.sin_addr;
		len = sizeof(addr.v4);
	}
	inet_pton(family, addr_str(family, i), ip);

	return bind(fd, &addr.sa, len);
}

static int new_socket(struct __test_metadata *_metadata, int family, int type,
		      int proto)
{
	int fd = socket(family, type, proto);

	ASSERT_GE(fd, 0);
	return fd;
}

/* Unlike 127.0.0.0/8, all but the first IPv6 address have to be added. */
static void add_ipv6(struct __test_metadata *_metadata, unsigned int i)
{
	int fd = new_socket(_metadata, AF_INET6, SOCK_DGRAM, 0);
	struct in6_ifreq req = { .ifr6_prefixlen = 128 };

	req.ifr6_ifindex = if_nametoindex("lo");
	inet_pton(AF_INET6, addr_str(AF_INET6, i), &req.ifr6_addr);
	ASSERT_EQ(ioctl(fd, SIOCSIFADDR, &req), 0);

	/* A worker makes it usable, a little later. */
	while (bind_to(fd, AF_INET6, i)) {
		ASSERT_EQ(errno, EADDRNOTAVAIL);
		poll(NULL, 0, 1);
	}

	close(fd);
}

static void new_netns(struct __test_metadata *_metadata)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	ASSERT_EQ(unshare(CLONE_NEWNET), 0);
	fd = new_socket(_metadata, AF_INET, SOCK_DGRAM, 0);
	ASSERT_EQ(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
}

/* pm_nl_ctl is built, and installed, next to this program. */
static void set_path_manager(struct __test_metadata *_metadata,
			     const char *cmd, const char *arg1,
			     const char *arg2, const char *arg3)
{
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (!pid) {
		execl("./pm_nl_ctl", "pm_nl_ctl", cmd, arg1, arg2, arg3, NULL);
		_exit(127);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_EQ(status, 0) {
		TH_LOG("cannot run, or failed: ./pm_nl_ctl %s", cmd);
	}
}

/* A connection from @fd to the listening @lfd. */
static void connect_to(struct __test_metadata *_metadata, int fd, int lfd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	ASSERT_EQ(getsockname(lfd, (void *)&addr, &len), 0);
	ASSERT_EQ(connect(fd, (void *)&addr, len), 0);
}

static void transfer(struct __test_metadata *_metadata, int from, int to,
		     size_t len)
{
	unsigned char buf[BUF_SIZE] = {};

	ASSERT_EQ(send(from, buf, len, 0), len);
	ASSERT_EQ(recv(to, buf, len, MSG_WAITALL), len);
}

FIXTURE(tcpinfo)
{
	int listener, fd, peer;
	__u32 size;			/* of the kernel's struct tcp_info */
};

FIXTURE_VARIANT(tcpinfo)
{
	int family;
	unsigned int subflows;
};

FIXTURE_VARIANT_ADD(tcpinfo, ipv4_1) { .family = AF_INET, .subflows = 1 };
FIXTURE_VARIANT_ADD(tcpinfo, ipv4_2) { .family = AF_INET, .subflows = 2 };
FIXTURE_VARIANT_ADD(tcpinfo, ipv4_3) { .family = AF_INET, .subflows = 3 };
FIXTURE_VARIANT_ADD(tcpinfo, ipv6_1) { .family = AF_INET6, .subflows = 1 };
FIXTURE_VARIANT_ADD(tcpinfo, ipv6_2) { .family = AF_INET6, .subflows = 2 };
FIXTURE_VARIANT_ADD(tcpinfo, ipv6_3) { .family = AF_INET6, .subflows = 3 };

FIXTURE_SETUP(tcpinfo)
{
	struct subflows ref;
	unsigned int i;

	new_netns(_metadata);

	ASSERT_EQ(chdir(dirname(program_invocation_name)), 0);

	/* Both ends have the same endpoints: let the limit also cover the
	 * subflows that the peer tries, in vain, to add from its side.
	 */
	if (variant->subflows > 1)
		set_path_manager(_metadata, "limits", "0", "8", NULL);

	for (i = 1; i < variant->subflows; i++) {
		if (variant->family == AF_INET6)
			add_ipv6(_metadata, i);
		set_path_manager(_metadata, "add",
				 addr_str(variant->family, i),
				 "flags", "subflow");
	}

	self->listener = new_socket(_metadata, variant->family, SOCK_STREAM,
				    IPPROTO_MPTCP);
	ASSERT_EQ(bind_to(self->listener, variant->family, 0), 0);
	ASSERT_EQ(listen(self->listener, 1), 0);
	self->fd = new_socket(_metadata, variant->family, SOCK_STREAM,
			      IPPROTO_MPTCP);
	connect_to(_metadata, self->fd, self->listener);
	self->peer = accept(self->listener, NULL, NULL);
	ASSERT_GE(self->peer, 0);

	/* More subflows are only added after data has been acknowledged. */
	transfer(_metadata, self->fd, self->peer, REQUEST_LEN);
	transfer(_metadata, self->peer, self->fd, REPLY_LEN);

	/* The harness' timeout is the deadline. */
	get_reference(_metadata, self->fd, &ref);
	while (!all_established(&ref, variant->subflows)) {
		poll(NULL, 0, 1);
		get_reference(_metadata, self->fd, &ref);
	}
	self->size = ref.size;
}

FIXTURE_TEARDOWN(tcpinfo)
{
	close(self->peer);
	close(self->fd);
	close(self->listener);
}

/* The example that the option was introduced with: room for two elements. */
TEST_F(tcpinfo, example)
{
	const __u32 size = MIN(self->size, sizeof(struct tcp_info));
	const __u32 copied = MIN(variant->subflows, 2);
	struct my_tcp_info {
		struct mptcp_subflow_data d;
		struct tcp_info ti[2];
	} ti;
	const unsigned char *elem = (void *)ti.ti;
	socklen_t olen = sizeof(ti);
	unsigned int i;

	memset(&ti, 0, sizeof(ti));
	ti.d.size_subflow_data = sizeof(struct mptcp_subflow_data);
	ti.d.size_user = sizeof(struct tcp_info);

	ASSERT_EQ(getsockopt(self->fd, SOL_MPTCP, MPTCP_TCPINFO, &ti, &olen), 0);
	EXPECT_EQ(olen, sizeof(ti.d) + copied * size);
	EXPECT_EQ(ti.d.size_subflow_data, sizeof(ti.d));
	EXPECT_EQ(ti.d.num_subflows, variant->subflows);
	EXPECT_EQ(ti.d.size_kernel, self->size);
	EXPECT_EQ(ti.d.size_user, size);
	for (i = 0; i < copied; i++)
		EXPECT_EQ(elem[i * size], TCP_ESTABLISHED);
	for (i = copied * size; i < sizeof(ti.ti); i++)
		ASSERT_EQ(elem[i], 0);

	/* and again, with as much room as turned out to be needed */
	expect_copied(_metadata, self->fd, sizeof(ti.d), sizeof(ti.ti[0]),
		      ti.d.num_subflows * sizeof(ti.ti[0]),
		      ti.d.num_subflows);
}

TEST_F(tcpinfo, content)
{
	struct {
		struct mptcp_subflow_data d;
		struct tcp_info ti;
	} first = { .d = HDR(HDR_SIZE, sizeof(first.ti)) };
	int len = sizeof(first);

	ASSERT_EQ(get_tcpinfo(self->fd, &first, &len), 0);
	ASSERT_EQ(len, HDR_SIZE + MIN(self->size, sizeof(first.ti)));

	EXPECT_EQ(first.ti.tcpi_state, TCP_ESTABLISHED);
	EXPECT_GT(first.ti.tcpi_snd_mss, 0);
	EXPECT_GT(first.ti.tcpi_rcv_mss, 0);
	EXPECT_GT(first.ti.tcpi_segs_out, 0);
	EXPECT_GT(first.ti.tcpi_segs_in, 0);

	if (variant->subflows > 1)
		return;

	/* Data that MPTCP has sent again counts again. */
	EXPECT_GE(first.ti.tcpi_bytes_acked, REQUEST_LEN);
	EXPECT_GE(first.ti.tcpi_bytes_received, REPLY_LEN);
	expect_copied(_metadata, self->peer, HDR_SIZE, self->size, self->size,
		      1);
}

/* Room for each number of elements, and one byte less and more than that. */
TEST_F(tcpinfo, room)
{
	unsigned int i, num = variant->subflows;
	__u32 size = self->size;

	for (i = 1; i <= num + 1; i++) {
		expect_copied(_metadata, self->fd, HDR_SIZE, size,
			      i * size - 1, MIN(num, i - 1));
		expect_copied(_metadata, self->fd, HDR_SIZE, size,
			      i * size, MIN(num, i));
		expect_copied(_metadata, self->fd, HDR_SIZE, size,
			      i * size + 1, MIN(num, i));
	}

	expect_copied(_metadata, self->fd, HDR_SIZE, size, INT_MAX - HDR_SIZE,
		      num);
}

TEST_F(tcpinfo, count_only)
{
	const __u32 hdrs[] = { HDR_SIZE, HDR_SIZE + 1, 24, 4096 };
	__u32 size = self->size;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hdrs); i++) {
		expect_copied(_metadata, self->fd, hdrs[i], 0, 0, 0);
		expect_copied(_metadata, self->fd, hdrs[i], 0, 2 * size, 0);
		expect_copied(_metadata, self->fd, hdrs[i], 1, 0, 0);
		expect_copied(_metadata, self->fd, hdrs[i], size, 0, 0);
		expect_copied(_metadata, self->fd, hdrs[i], size, 1, 0);
		expect_copied(_metadata, self->fd, hdrs[i], INT_MAX, 0, 0);
	}

	expect_copied(_metadata, self->fd, INT_MAX, size, 0, 0);
	expect_copied(_metadata, self->fd, INT_MAX - 1, size, 1, 0);
}

/* An older user space */
TEST_F(tcpinfo, short_elements)
{
	const __u32 sizes[] = { 1, 4, 104, self->size - 1 };
	unsigned int i, num = variant->subflows;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect_copied(_metadata, self->fd, HDR_SIZE, sizes[i],
			      sizes[i], 1);
		expect_copied(_metadata, self->fd, HDR_SIZE, sizes[i],
			      num * sizes[i], num);
		expect_copied(_metadata, self->fd, HDR_SIZE, sizes[i],
			      num * sizes[i] - 1, num - 1);
		expect_copied(_metadata, self->fd, HDR_SIZE, sizes[i],
			      MAX_SUBFLOWS * self->size, num);
	}
}

/* A newer user space: the elements are as far apart as the kernel's size. */
TEST_F(tcpinfo, long_elements)
{
	const __u32 sizes[] = { self->size + 1, 2 * self->size, INT_MAX };
	unsigned int i, num = variant->subflows;
	__u32 size = self->size;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect_copied(_metadata, self->fd, HDR_SIZE, sizes[i],
			      num * size, num);
		expect_copied(_metadata, self->fd, HDR_SIZE, sizes[i],
			      num * size - 1, num - 1);
		expect_copied(_metadata, self->fd, HDR_SIZE, sizes[i],
			      2 * num * size, num);
	}
}

/* A newer user space: what the kernel does not know of is left alone. */
TEST_F(tcpinfo, long_header)
{
	const __u32 hdrs[] = { HDR_SIZE + 1, 24, 32, 4096 };
	unsigned int i, num = variant->subflows;
	__u32 size = self->size;

	for (i = 0; i < ARRAY_SIZE(hdrs); i++) {
		expect_copied(_metadata, self->fd, hdrs[i], size,
			      num * size, num);
		expect_copied(_metadata, self->fd, hdrs[i], size,
			      num * size - 1, num - 1);
		expect_copied(_metadata, self->fd, hdrs[i], 4, num * 4, num);
		expect_copied(_metadata, self->fd, hdrs[i], size + 8,
			      num * size, num);
	}
}

TEST_F(tcpinfo, invalid)
{
	const struct {
		int optlen;
		struct mptcp_subflow_data d;
	} bad[] = {
		{ 0,			{ HDR_SIZE, 0, 0, 1 } },
		{ 1,			{ HDR_SIZE, 0, 0, 1 } },
		{ HDR_SIZE - 1,		{ HDR_SIZE, 0, 0, 1 } },
		{ HDR_SIZE - 1,		{ HDR_SIZE - 1, 0, 0, 1 } },
		{ -1,			{ HDR_SIZE, 0, 0, 1 } },
		{ INT_MIN,		{ HDR_SIZE, 0, 0, 1 } },
		{ HDR_SIZE + 1,		{ 0, 0, 0, 1 } },
		{ HDR_SIZE + 1,		{ HDR_SIZE - 1, 0, 0, 1 } },
		{ HDR_SIZE,		{ HDR_SIZE + 1, 0, 0, 1 } },
		{ HDR_SIZE + 1,		{ HDR_SIZE + 2, 0, 0, 1 } },
		{ HDR_SIZE + 1,		{ INT_MAX, 0, 0, 1 } },
		{ INT_MAX,		{ INT_MAX + 1U, 0, 0, 1 } },
		{ INT_MAX,		{ UINT_MAX, 0, 0, 1 } },
		{ HDR_SIZE + 1,		{ HDR_SIZE, 0, 0, INT_MAX + 1U } },
		{ HDR_SIZE,		{ HDR_SIZE, 0, 0, UINT_MAX } },
		{ HDR_SIZE + 1,		{ HDR_SIZE, 1, 0, 1 } },
		{ HDR_SIZE,		{ HDR_SIZE, UINT_MAX, 0, 0 } },
		{ HDR_SIZE + 1,		{ HDR_SIZE, 0, 1, 1 } },
		{ HDR_SIZE,		{ HDR_SIZE, 0, UINT_MAX, 0 } },
		{ HDR_SIZE + 1,		{ HDR_SIZE, 0, self->size, 1 } },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		expect_refused(_metadata, self->fd, EINVAL, bad[i].d,
			       bad[i].optlen);
}

/* Two pages that user space may write to; returns where the second begins. */
static unsigned char *map_two_pages(struct __test_metadata *_metadata)
{
	const long page = sysconf(_SC_PAGESIZE);
	unsigned char *p;

	p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(p, MAP_FAILED);
	memset(p, CANARY, 2 * page);

	return p + page;
}

static void protect_page(struct __test_metadata *_metadata, void *addr,
			 int prot)
{
	ASSERT_EQ(mprotect(addr, sysconf(_SC_PAGESIZE), prot), 0);
}

static bool untouched(const unsigned char *p, size_t len)
{
	while (len && p[len - 1] == CANARY)
		len--;

	return !len;
}

/* optlen is read, and found too short, before the header is read. */
TEST_F(tcpinfo, bad_pointer)
{
	const struct mptcp_subflow_data d = HDR(HDR_SIZE, 1);
	struct mptcp_subflow_data buf = d;
	unsigned char *none;
	void *bad[2] = {};
	unsigned int i;
	int len;

	none = map_two_pages(_metadata);
	protect_page(_metadata, none, PROT_NONE);
	bad[1] = none;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(get_tcpinfo(self->fd, &buf, bad[i]), -EFAULT);
		EXPECT_EQ(get_tcpinfo(self->fd, bad[i], bad[i]), -EFAULT);
		EXPECT_EQ(memcmp(&buf, &d, sizeof(d)), 0);

		len = HDR_SIZE;
		EXPECT_EQ(get_tcpinfo(self->fd, bad[i], &len), -EFAULT);
		EXPECT_EQ(len, HDR_SIZE);

		len = HDR_SIZE - 1;
		EXPECT_EQ(get_tcpinfo(self->fd, bad[i], &len), -EINVAL);
		EXPECT_EQ(len, HDR_SIZE - 1);
	}
}

TEST_F(tcpinfo, fault_header_read)
{
	const struct mptcp_subflow_data d = HDR(HDR_SIZE, 1);
	unsigned char *edge = map_two_pages(_metadata);
	int len = HDR_SIZE + 1;

	memcpy(edge - HDR_SIZE + 1, &d, sizeof(d));
	protect_page(_metadata, edge, PROT_NONE);

	EXPECT_EQ(get_tcpinfo(self->fd, edge - HDR_SIZE + 1, &len), -EFAULT);
	EXPECT_EQ(len, HDR_SIZE + 1);
	EXPECT_EQ(memcmp(edge - HDR_SIZE + 1, &d, sizeof(d) - 1), 0);
}

/* The header is checked before an element is copied; it and optlen are not
 * written if that fails; and only what is written must be accessible.
 */
TEST_F(tcpinfo, fault_element)
{
	const struct mptcp_subflow_data d = HDR(HDR_SIZE, self->size);
	struct mptcp_subflow_data bad = d, *h;
	unsigned char *edge, *elem;
	int len;

	edge = map_two_pages(_metadata);
	protect_page(_metadata, edge, PROT_NONE);

	/* no element fits */
	h = (void *)(edge - HDR_SIZE);
	bad.size_kernel = 1;
	*h = bad;
	len = HDR_SIZE + 2 * self->size;
	EXPECT_EQ(get_tcpinfo(self->fd, h, &len), -EINVAL);
	EXPECT_EQ(len, HDR_SIZE + 2 * self->size);
	EXPECT_EQ(memcmp(h, &bad, sizeof(bad)), 0);

	*h = d;
	EXPECT_EQ(get_tcpinfo(self->fd, h, &len), -EFAULT);
	EXPECT_EQ(len, HDR_SIZE + 2 * self->size);
	EXPECT_EQ(memcmp(h, &d, sizeof(d)), 0);

	/* none has to */
	len = HDR_SIZE + self->size - 1;
	EXPECT_EQ(get_tcpinfo(self->fd, h, &len), 0);
	EXPECT_EQ(len, HDR_SIZE);
	EXPECT_EQ(h->num_subflows, variant->subflows);

	*h = HDR(HDR_SIZE, 0);
	len = HDR_SIZE + self->size;
	EXPECT_EQ(get_tcpinfo(self->fd, h, &len), 0);
	EXPECT_EQ(len, HDR_SIZE);
	EXPECT_EQ(h->num_subflows, variant->subflows);

	/* one does */
	elem = edge - self->size;
	h = (void *)(elem - HDR_SIZE);
	*h = d;
	memset(elem, CANARY, self->size);
	len = HDR_SIZE + 2 * self->size;
	if (variant->subflows == 1) {
		EXPECT_EQ(get_tcpinfo(self->fd, h, &len), 0);
		EXPECT_EQ(len, HDR_SIZE + self->size);
		EXPECT_EQ(h->num_subflows, 1);
	} else {
		EXPECT_EQ(get_tcpinfo(self->fd, h, &len), -EFAULT);
		EXPECT_EQ(len, HDR_SIZE + 2 * self->size);
		EXPECT_EQ(memcmp(h, &d, sizeof(d)), 0);
	}
	EXPECT_EQ(elem[0], TCP_ESTABLISHED);
	EXPECT_FALSE(untouched(edge - sizeof(__u32), sizeof(__u32)));
}

/* optlen is written after the elements and before the header. */
TEST_F(tcpinfo, fault_optlen_write)
{
	const struct mptcp_subflow_data d = HDR(HDR_SIZE, self->size);
	unsigned char *edge = map_two_pages(_metadata);
	struct mptcp_subflow_data *h = (void *)(edge - BUF_SIZE / 4);
	const int room = variant->subflows * self->size;
	unsigned char *elem = (void *)(h + 1);
	int *len = (void *)edge;
	unsigned int i;

	/* an optlen that is not written need not be writable */
	*h = d;
	*len = HDR_SIZE - 1;
	protect_page(_metadata, len, PROT_READ);
	EXPECT_EQ(get_tcpinfo(self->fd, h, len), -EINVAL);

	protect_page(_metadata, len, PROT_READ | PROT_WRITE);
	*len = HDR_SIZE + room;
	protect_page(_metadata, len, PROT_READ);
	EXPECT_EQ(get_tcpinfo(self->fd, h, len), -EFAULT);

	EXPECT_EQ(*len, HDR_SIZE + room);
	EXPECT_EQ(memcmp(h, &d, sizeof(d)), 0);
	for (i = 0; i < variant->subflows; i++)
		EXPECT_EQ(elem[i * self->size], TCP_ESTABLISHED);
	EXPECT_TRUE(untouched(elem + room, edge - elem - room));
}

TEST_F(tcpinfo, fault_header_write)
{
	const struct mptcp_subflow_data d = HDR(HDR_SIZE, self->size);
	const long page = sysconf(_SC_PAGESIZE);
	unsigned char *edge = map_two_pages(_metadata);
	struct mptcp_subflow_data *h = (void *)(edge - HDR_SIZE);
	const int room = variant->subflows * self->size;
	unsigned int i;
	int len;

	*h = d;
	protect_page(_metadata, edge - page, PROT_READ);

	len = HDR_SIZE + self->size - 1;
	EXPECT_EQ(get_tcpinfo(self->fd, h, &len), -EFAULT);
	EXPECT_EQ(len, HDR_SIZE);
	EXPECT_TRUE(untouched(edge, page));

	len = HDR_SIZE + room + 1;
	EXPECT_EQ(get_tcpinfo(self->fd, h, &len), -EFAULT);
	EXPECT_EQ(len, HDR_SIZE + room);
	for (i = 0; i < variant->subflows; i++)
		EXPECT_EQ(edge[i * self->size], TCP_ESTABLISHED);
	EXPECT_TRUE(untouched(edge + room, page - room));

	EXPECT_EQ(memcmp(h, &d, sizeof(d)), 0);
}

/* An unknown extension of the header need not even be accessible. */
TEST_F(tcpinfo, inaccessible_extension)
{
	const long page = sysconf(_SC_PAGESIZE);
	struct mptcp_subflow_data *h;
	unsigned char *edge;
	int len;

	edge = map_two_pages(_metadata);
	protect_page(_metadata, edge, PROT_NONE);
	h = (void *)(edge - HDR_SIZE);

	*h = HDR(HDR_SIZE + page, self->size);
	len = HDR_SIZE + page;
	EXPECT_EQ(get_tcpinfo(self->fd, h, &len), 0);
	EXPECT_EQ(len, HDR_SIZE);
	EXPECT_EQ(h->size_subflow_data, HDR_SIZE + page);
	EXPECT_EQ(h->num_subflows, variant->subflows);
	EXPECT_EQ(h->size_kernel, self->size);
	EXPECT_EQ(h->size_user, self->size);
}

/* If the places overlap, the last one that is written shows. */
TEST_F(tcpinfo, write_order)
{
	struct {
		struct mptcp_subflow_data d;
		union {
			int len;
			unsigned char ti[TI_MAX];
		};
	} buf;

	buf.d = HDR(HDR_SIZE, self->size);
	buf.len = HDR_SIZE + self->size;
	EXPECT_EQ(get_tcpinfo(self->fd, &buf, &buf.len), 0);
	EXPECT_EQ(buf.len, HDR_SIZE + self->size);

	buf.d = HDR(HDR_SIZE, HDR_SIZE + self->size);
	EXPECT_EQ(get_tcpinfo(self->fd, &buf, &buf.d.size_user), 0);
	EXPECT_EQ(buf.d.size_user, self->size);
}

FIXTURE(not_connected)
{
	int fd;
};

FIXTURE_VARIANT(not_connected)
{
	int family;
};

FIXTURE_VARIANT_ADD(not_connected, ipv4) { .family = AF_INET };
FIXTURE_VARIANT_ADD(not_connected, ipv6) { .family = AF_INET6 };

FIXTURE_SETUP(not_connected)
{
	new_netns(_metadata);
	self->fd = new_socket(_metadata, variant->family, SOCK_STREAM,
			      IPPROTO_MPTCP);
}

FIXTURE_TEARDOWN(not_connected)
{
	close(self->fd);
}

/* The kernel makes the first subflow not before it is needed. */
TEST_F(not_connected, no_subflow)
{
	struct subflows ref;

	get_reference(_metadata, self->fd, &ref);
	EXPECT_EQ(ref.num, 0);
	expect_copied(_metadata, self->fd, HDR_SIZE, ref.size, 2 * ref.size, 0);
	expect_copied(_metadata, self->fd, HDR_SIZE, ref.size, 0, 0);
	expect_refused(_metadata, self->fd, EINVAL, HDR(HDR_SIZE, 1),
		       HDR_SIZE - 1);
}

TEST_F(not_connected, bound)
{
	struct subflows ref;

	ASSERT_EQ(bind_to(self->fd, variant->family, 0), 0);
	get_reference(_metadata, self->fd, &ref);
	EXPECT_EQ(ref.num, 1);
	EXPECT_EQ(ref.ti[0], TCP_CLOSE);
	expect_copied(_metadata, self->fd, HDR_SIZE, ref.size, 2 * ref.size, 1);
}

TEST_F(not_connected, listening)
{
	struct subflows ref;

	ASSERT_EQ(bind_to(self->fd, variant->family, 0), 0);
	ASSERT_EQ(listen(self->fd, 7), 0);
	get_reference(_metadata, self->fd, &ref);
	EXPECT_EQ(ref.num, 1);
	EXPECT_EQ(ref.ti[0], TCP_LISTEN);
	expect_copied(_metadata, self->fd, HDR_SIZE, ref.size, 2 * ref.size, 1);
}

/* After a fallback to TCP, the option is the one subflow's to refuse. */
TEST_F(not_connected, fallback)
{
	int err = variant->family == AF_INET ? EOPNOTSUPP : ENOPROTOOPT;
	int lfd;

	lfd = new_socket(_metadata, variant->family, SOCK_STREAM, IPPROTO_TCP);
	ASSERT_EQ(bind_to(lfd, variant->family, 0), 0);
	ASSERT_EQ(listen(lfd, 1), 0);
	connect_to(_metadata, self->fd, lfd);

	expect_refused(_metadata, self->fd, err, HDR(HDR_SIZE, 1), BUF_SIZE);
	expect_refused(_metadata, self->fd, err, HDR(HDR_SIZE, 1), 0);
	EXPECT_EQ(get_tcpinfo(self->fd, NULL, NULL), -err);

	close(lfd);
}

TEST_HARNESS_MAIN
