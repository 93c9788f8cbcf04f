// SPDX-License-Identifier: GPL-2.0

/* Tests the per-subflow options of getsockopt(SOL_MPTCP): MPTCP_TCPINFO,
 * MPTCP_SUBFLOW_ADDRS and MPTCP_FULL_INFO. Checks the results, the errors,
 * and which user memory has been written when a request fails half-way.
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

/* Kernels with sanitizers on emulated machines need half a minute. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

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

/* Larger than the kernel's structures, whose size may differ from ours. */
#define ELEM_MAX	512
#define BUF_SIZE	8192

#define HDR_SIZE	sizeof(struct mptcp_subflow_data)
#define HDR(size, elem)	((struct mptcp_subflow_data) {			\
				.size_subflow_data = (size),		\
				.size_user = (elem),			\
			})

/* The sizes of Linux 5.16, the first kernel with MPTCP_TCPINFO. On i386,
 * struct mptcp_info had no padding at its end.
 */
#define OLD_TCP_INFO		232
#define OLD_MPTCP_INFO		48
#define OLD_MPTCP_INFO_I386	44

#define FULL_SIZE	offsetof(struct mptcp_full_info, mptcp_info)

/* A 64-bit kernel pads the id even if this is a 32-bit program. */
#define ID_SIZE(sf_size) ((sf_size) - sizeof(struct mptcp_subflow_addrs))

/* linux/tcp.h does not define these, and conflicts with netinet/tcp.h. */
enum {
	TCP_ESTABLISHED = 1,
	TCP_CLOSE = 7,
	TCP_LISTEN = 10,
};

/* Each option with a valid request that has no room for an element. */
static const struct option {
	int name;
	int size;
	union {
		struct mptcp_subflow_data hdr;
		struct mptcp_full_info full;
	};
} options[] = {
	{ MPTCP_TCPINFO, HDR_SIZE, { .hdr = { HDR_SIZE, 0, 0, 1 } } },
	{ MPTCP_SUBFLOW_ADDRS, HDR_SIZE, { .hdr = { HDR_SIZE, 0, 0, 1 } } },
	{ MPTCP_FULL_INFO, FULL_SIZE, { .full = { .size_sfinfo_user = 1 } } },
};

/* Where an element of each option contains times since an event, which change
 * from one request to the next.
 */
static const struct {
	size_t begin, end;
} times[] = {
	[MPTCP_INFO] = {
		offsetof(struct mptcp_info, mptcpi_last_data_sent),
		sizeof(struct mptcp_info),
	},
	[MPTCP_TCPINFO] = {
		offsetof(struct tcp_info, tcpi_last_data_sent),
		offsetof(struct tcp_info, tcpi_pmtu),
	},
	[MPTCP_SUBFLOW_ADDRS] = {},
	[MPTCP_FULL_INFO] = {},
};

struct elems {
	__u32 size;				/* of one element */
	unsigned char data[MAX_SUBFLOWS * ELEM_MAX];
};

/* The result of a plain MPTCP_FULL_INFO, which contains what every option
 * reports. As an index of @of, MPTCP_FULL_INFO stands for the array of
 * struct mptcp_subflow_info.
 */
struct reference {
	__u32 num;				/* number of subflows */
	struct elems of[ARRAY_SIZE(times)];
};

static void get_reference(struct __test_metadata *_metadata, int fd,
			  struct reference *ref)
{
	struct elems *info = &ref->of[MPTCP_INFO];
	struct elems *ti = &ref->of[MPTCP_TCPINFO];
	struct elems *addrs = &ref->of[MPTCP_SUBFLOW_ADDRS];
	struct elems *sf = &ref->of[MPTCP_FULL_INFO];
	union {
		struct mptcp_full_info mfi;
		unsigned char raw[FULL_SIZE + ELEM_MAX];
	} buf = {
		.mfi.size_tcpinfo_user = ELEM_MAX,
		.mfi.size_sfinfo_user = ELEM_MAX,
		.mfi.size_arrays_user = MAX_SUBFLOWS,
		.mfi.subflow_info = (uintptr_t)sf->data,
		.mfi.tcp_info = (uintptr_t)ti->data,
	};
	socklen_t len = sizeof(buf);
	unsigned int i;

	memset(ref, 0, sizeof(*ref));
	ASSERT_EQ(getsockopt(fd, SOL_MPTCP, MPTCP_FULL_INFO, &buf, &len), 0);
	ASSERT_LE(buf.mfi.num_subflows, MAX_SUBFLOWS);
	ASSERT_LE(buf.mfi.size_tcpinfo_kernel, ELEM_MAX);
	ASSERT_LE(buf.mfi.size_sfinfo_kernel, ELEM_MAX);
	ASSERT_LT(len, sizeof(buf));

	ref->num = buf.mfi.num_subflows;
	ti->size = buf.mfi.size_tcpinfo_kernel;
	sf->size = buf.mfi.size_sfinfo_kernel;

	info->size = len - FULL_SIZE;
	memcpy(info->data, buf.raw + FULL_SIZE, info->size);

	addrs->size = sizeof(struct mptcp_subflow_addrs);
	for (i = 0; i < ref->num; i++)
		memcpy(addrs->data + i * addrs->size,
		       sf->data + i * sf->size + ID_SIZE(sf->size),
		       addrs->size);
}

static bool all_established(const struct reference *ref, unsigned int num)
{
	const struct elems *ti = &ref->of[MPTCP_TCPINFO];
	unsigned int i;

	for (i = 0; i < ref->num; i++)
		if (ti->data[i * ti->size] != TCP_ESTABLISHED)
			return false;

	return ref->num == num;
}

static void hide_times(int opt, unsigned char *elem, size_t size)
{
	if (size > times[opt].begin)
		memset(elem + times[opt].begin, 0,
		       MIN(size, times[opt].end) - times[opt].begin);
}

static bool same_but_times(struct reference a, struct reference b)
{
	unsigned int opt, i;

	for (opt = 0; opt < ARRAY_SIZE(times); opt++) {
		__u32 size = a.of[opt].size;

		for (i = 0; i < MAX_SUBFLOWS; i++) {
			hide_times(opt, a.of[opt].data + i * size, size);
			hide_times(opt, b.of[opt].data + i * size, size);
		}
	}

	return !memcmp(&a, &b, sizeof(a));
}

static void check_times(struct __test_metadata *_metadata, int opt,
			const unsigned char *before, const unsigned char *got,
			const unsigned char *after, size_t size)
{
	__u32 lo, t, hi;
	size_t off;

	for (off = times[opt].begin;
	     off + sizeof(t) <= MIN(size, times[opt].end); off += sizeof(t)) {
		memcpy(&lo, before + off, sizeof(lo));
		memcpy(&t, got + off, sizeof(t));
		memcpy(&hi, after + off, sizeof(hi));
		EXPECT_LE(lo, t);
		EXPECT_LE(t, hi);
	}
}

struct query {
	int fd;
	int opt;
};

static int get(const struct query *q, void *optval, void *optlen)
{
	return getsockopt(q->fd, SOL_MPTCP, q->opt, optval, optlen) ?
	       -errno : 0;
}

/* A request with its buffer: the actual and the expected contents after the
 * call. The buffer is larger than needed, to detect stray writes.
 */
struct exchange {
	struct reference before, after;
	unsigned char got[BUF_SIZE], want[BUF_SIZE];
	int len, ret;
};

static void ask(struct __test_metadata *_metadata, const struct query *q,
		struct exchange *x, const void *req, size_t req_size,
		int optlen)
{
	struct reference first;

	memset(x->want, CANARY, sizeof(x->want));
	memcpy(x->want, req, req_size);

	/* Retry until nothing but times changed. MPTCP_FULL_INFO reads the
	 * connection first, so the counters of a subflow can be of a later ACK
	 * than the times of the connection. If they did not change since an
	 * earlier call, there is no such ACK.
	 */
	do {
		memcpy(x->got, x->want, sizeof(x->got));
		x->len = optlen;

		get_reference(_metadata, q->fd, &first);
		get_reference(_metadata, q->fd, &x->before);
		x->ret = get(q, x->got, &x->len);
		get_reference(_metadata, q->fd, &x->after);
	} while (!same_but_times(first, x->before) ||
		 !same_but_times(x->before, x->after));
}

/* Want @num elements of @opt at offset @off, truncated to @size bytes each. */
static void want_elems(struct __test_metadata *_metadata, struct exchange *x,
		       int opt, __u32 off, __u32 num, __u32 size)
{
	const unsigned char *before = x->before.of[opt].data;
	const unsigned char *after = x->after.of[opt].data;

	for (; num; num--) {
		check_times(_metadata, opt, before, x->got + off, after, size);
		memcpy(x->want + off, before, size);
		hide_times(opt, x->got + off, size);
		hide_times(opt, x->want + off, size);

		before += x->before.of[opt].size;
		after += x->after.of[opt].size;
		off += size;
	}
}

static bool expect_success(struct __test_metadata *_metadata,
			   const struct exchange *x, int want_len)
{
	unsigned int i;

	for (i = 0; i < BUF_SIZE && x->got[i] == x->want[i]; i++)
		;

	EXPECT_EQ(x->ret, 0);
	EXPECT_EQ(x->len, want_len);
	EXPECT_EQ(i, BUF_SIZE) {
		TH_LOG("byte %u is %#x, not %#x", i, x->got[i], x->want[i]);
	}

	return !x->ret && x->len == want_len && i == BUF_SIZE;
}

/* Make a request with a header of @hdr bytes, elements of @size_user bytes
 * and @room bytes for them. Expect success, and @copied elements.
 */
static void expect_copied(struct __test_metadata *_metadata,
			  const struct query *q, __u32 hdr, __u32 size_user,
			  __u32 room, __u32 copied)
{
	struct mptcp_subflow_data d = HDR(hdr, size_user);
	int want_len = HDR_SIZE;
	struct exchange x;

	ask(_metadata, q, &x, &d, sizeof(d), hdr + room);

	d.num_subflows = x.before.num;
	d.size_kernel = x.before.of[q->opt].size;
	d.size_user = MIN(size_user, d.size_kernel);
	memcpy(x.want, &d, sizeof(d));
	want_elems(_metadata, &x, q->opt, hdr, copied, d.size_user);

	/* Without elements, optlen is the size of the kernel's header. */
	if (copied && d.size_user)
		want_len = hdr + copied * d.size_user;

	if (!expect_success(_metadata, &x, want_len))
		TH_LOG("header %u, size_user %u, room %u: %u of %u elements",
		       hdr, size_user, room, copied, d.num_subflows);
}

/* The same for MPTCP_FULL_INFO, with both arrays in the same buffer. */
static void expect_full(struct __test_metadata *_metadata, int fd,
			__u32 size_sf, __u32 size_ti, __u32 num, int optlen)
{
	const __u32 sf_off = BUF_SIZE / 4, ti_off = BUF_SIZE / 2;
	const struct query q = { fd, MPTCP_FULL_INFO };
	struct exchange x;
	struct mptcp_full_info mfi = {
		.size_tcpinfo_user = size_ti,
		.size_sfinfo_user = size_sf,
		.size_arrays_user = num,
		.subflow_info = (uintptr_t)x.got + sf_off,
		.tcp_info = (uintptr_t)x.got + ti_off,
	};
	__u32 copied, info_len;

	ask(_metadata, &q, &x, &mfi, FULL_SIZE, optlen);

	copied = MIN(num, x.before.num);
	info_len = MIN(optlen - FULL_SIZE, x.before.of[MPTCP_INFO].size);

	mfi.num_subflows = x.before.num;
	mfi.size_tcpinfo_kernel = x.before.of[MPTCP_TCPINFO].size;
	mfi.size_tcpinfo_user = MIN(size_ti, mfi.size_tcpinfo_kernel);
	mfi.size_sfinfo_kernel = x.before.of[MPTCP_FULL_INFO].size;
	mfi.size_sfinfo_user = MIN(size_sf, mfi.size_sfinfo_kernel);
	memcpy(x.want, &mfi, FULL_SIZE);
	want_elems(_metadata, &x, MPTCP_INFO, FULL_SIZE, 1, info_len);
	want_elems(_metadata, &x, MPTCP_FULL_INFO, sf_off, copied,
		   mfi.size_sfinfo_user);
	want_elems(_metadata, &x, MPTCP_TCPINFO, ti_off, copied,
		   mfi.size_tcpinfo_user);

	if (!expect_success(_metadata, &x, FULL_SIZE + info_len))
		TH_LOG("optlen %d, sizes %u and %u: %u of %u elements", optlen,
		       size_sf, size_ti, copied, mfi.num_subflows);
}

/* Expect each option to report @num subflows, with an element for each. */
static void expect_all(struct __test_metadata *_metadata, int fd, __u32 num)
{
	const struct query ti = { fd, MPTCP_TCPINFO };
	const struct query addrs = { fd, MPTCP_SUBFLOW_ADDRS };

	expect_copied(_metadata, &ti, HDR_SIZE, ELEM_MAX, BUF_SIZE / 2, num);
	expect_copied(_metadata, &addrs, HDR_SIZE, ELEM_MAX, BUF_SIZE / 2, num);
	expect_full(_metadata, fd, ELEM_MAX, ELEM_MAX, num, BUF_SIZE);
	expect_full(_metadata, fd, ELEM_MAX, ELEM_MAX, num + 1, BUF_SIZE);
}

/* Expect -@err, and no change of the buffer or optlen. */
static void expect_refused(struct __test_metadata *_metadata,
			   const struct query *q, int err, const void *req,
			   size_t req_size, int optlen)
{
	unsigned char got[BUF_SIZE], want[BUF_SIZE];
	const __u32 *word = req;
	int len = optlen, ret;

	memset(want, CANARY, sizeof(want));
	memcpy(want, req, req_size);
	memcpy(got, want, sizeof(got));

	ret = get(q, got, &len);
	EXPECT_EQ(ret, -err);
	EXPECT_EQ(len, optlen);
	EXPECT_EQ(memcmp(got, want, sizeof(got)), 0);
	if (ret != -err || len != optlen || memcmp(got, want, sizeof(got)))
		TH_LOG("option %d, optlen %d, request { %u, %u, %u, %u ... }",
		       q->opt, optlen, word[0], word[1], word[2], word[3]);
}

/* An address as the options report it, with the same padding. */
union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage ss;
};

struct addresses {
	union address local, remote;
};

static int family_of(const char *ip)
{
	return strchr(ip, ':') ? AF_INET6 : AF_INET;
}

/* If @family is AF_INET6, converts an IPv4 address to a mapped one. */
static union address make_address(int family, const char *ip, in_port_t port)
{
	char mapped[INET6_ADDRSTRLEN];
	union address addr;

	memset(&addr, 0, sizeof(addr));
	addr.sa.sa_family = family;
	if (family == AF_INET) {
		addr.v4.sin_port = port;
		inet_pton(AF_INET, ip, &addr.v4.sin_addr);
	} else {
		snprintf(mapped, sizeof(mapped), "%s%s",
			 family_of(ip) == AF_INET ? "::ffff:" : "", ip);
		addr.v6.sin6_port = port;
		inet_pton(AF_INET6, mapped, &addr.v6.sin6_addr);
	}

	return addr;
}

static in_port_t local_port(struct __test_metadata *_metadata, int fd)
{
	union address addr;
	socklen_t len = sizeof(addr);

	ASSERT_EQ(getsockname(fd, &addr.sa, &len), 0);

	return addr.sa.sa_family == AF_INET ? addr.v4.sin_port :
					      addr.v6.sin6_port;
}

static int bind_to(int fd, int family, const char *ip)
{
	union address addr = make_address(family, ip, 0);

	return bind(fd, &addr.sa, family == AF_INET ? sizeof(addr.v4) :
						      sizeof(addr.v6));
}

static int new_socket(struct __test_metadata *_metadata, int family, int type,
		      int proto)
{
	int fd = socket(family, type, proto);

	ASSERT_GE(fd, 0);
	return fd;
}

/* As in mptcp_lib.sh: a feature that is missing is an error then. */
static bool expect_all_features(void)
{
	const char *all = getenv("SELFTESTS_MPTCP_LIB_EXPECT_ALL_FEATURES");

	return all && !strcmp(all, "1");
}

/* The loopback device has all of 127.0.0.0/8, but only one IPv6 address. */
static void add_ipv6(struct __test_metadata *_metadata, const char *ip)
{
	int fd = new_socket(_metadata, AF_INET6, SOCK_DGRAM, 0);
	struct in6_ifreq req = { .ifr6_prefixlen = 128 };

	req.ifr6_ifindex = if_nametoindex("lo");
	inet_pton(AF_INET6, ip, &req.ifr6_addr);
	ASSERT_EQ(ioctl(fd, SIOCSIFADDR, &req), 0);

	/* A kernel worker makes the address usable a little later. */
	while (bind_to(fd, AF_INET6, ip)) {
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

/* pm_nl_ctl is built and installed in the same directory as this program. */
static int run_pm_nl_ctl(struct __test_metadata *_metadata, const char *cmd,
			 const char *arg1, const char *arg2, const char *arg3)
{
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (!pid) {
		execl("./pm_nl_ctl", "pm_nl_ctl", cmd, arg1, arg2, arg3, NULL);
		_exit(127);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);

	return status;
}

static void set_path_manager(struct __test_metadata *_metadata,
			     const char *cmd, const char *arg1,
			     const char *arg2, const char *arg3)
{
	ASSERT_EQ(run_pm_nl_ctl(_metadata, cmd, arg1, arg2, arg3), 0) {
		TH_LOG("./pm_nl_ctl %s failed, or could not be run", cmd);
	}
}

/* Connects @fd to the listening socket @lfd. */
static void connect_to(struct __test_metadata *_metadata, int fd, int lfd)
{
	union address addr;
	socklen_t len = sizeof(addr);

	ASSERT_EQ(getsockname(lfd, &addr.sa, &len), 0);
	ASSERT_EQ(connect(fd, &addr.sa, len), 0);
}

static void transfer(struct __test_metadata *_metadata, int from, int to,
		     size_t len)
{
	unsigned char buf[BUF_SIZE] = {};

	ASSERT_EQ(send(from, buf, len, 0), len);
	ASSERT_EQ(recv(to, buf, len, MSG_WAITALL), len);
}

/* The family of the sockets, and the local address of each subflow. All
 * subflows connect to the first address. With mapped addresses, only the
 * first subflow is an IPv6 socket; the kernel creates the others for IPv4.
 */
struct net {
	int family;
	const char *ip[MAX_SUBFLOWS];
};

static const struct net ipv4 = {
	AF_INET, { "127.0.0.1", "127.0.0.2", "127.0.0.3" }
};

static const struct net ipv6 = {
	AF_INET6, { "::1", "fd00::2", "fd00::3" }
};

static const struct net mapped = {
	AF_INET6, { "127.0.0.1", "127.0.0.2", "127.0.0.3" }
};

struct connection {
	int listener, fd, peer;
	struct reference ref;
};

/* Connects, and leaves the peer in the queue of the listener. */
static void start(struct __test_metadata *_metadata, struct connection *c,
		  const struct net *net)
{
	const int rcvbuf = 1 << 16;

	c->listener = new_socket(_metadata, net->family, SOCK_STREAM,
				 IPPROTO_MPTCP);
	ASSERT_EQ(bind_to(c->listener, net->family, net->ip[0]), 0);
	ASSERT_EQ(listen(c->listener, 1), 0);
	c->fd = new_socket(_metadata, net->family, SOCK_STREAM, IPPROTO_MPTCP);
	/* The scale of its window is smaller than the peer's. */
	ASSERT_EQ(setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf,
			     sizeof(rcvbuf)), 0);
	connect_to(_metadata, c->fd, c->listener);
}

static void set_up(struct __test_metadata *_metadata, struct connection *c,
		   const struct net *net, unsigned int subflows)
{
	unsigned int i;

	new_netns(_metadata);

	ASSERT_EQ(chdir(dirname(program_invocation_name)), 0);

	/* Both ends are in the same namespace and have the same endpoints. The
	 * subflows that the peer tries to add fail, but use up the limit.
	 */
	if (subflows > 1)
		set_path_manager(_metadata, "limits", "0", "8", NULL);

	for (i = 1; i < subflows; i++) {
		if (family_of(net->ip[i]) == AF_INET6)
			add_ipv6(_metadata, net->ip[i]);
		set_path_manager(_metadata, "add", net->ip[i], "flags",
				 "subflow");
	}

	start(_metadata, c, net);
	c->peer = accept(c->listener, NULL, NULL);
	ASSERT_GE(c->peer, 0);

	/* More subflows are only added after data has been acknowledged. */
	transfer(_metadata, c->fd, c->peer, REQUEST_LEN);
	transfer(_metadata, c->peer, c->fd, REPLY_LEN);

	/* If this never happens, the timeout of the harness ends the test. */
	get_reference(_metadata, c->fd, &c->ref);
	while (!all_established(&c->ref, subflows)) {
		poll(NULL, 0, 1);
		get_reference(_metadata, c->fd, &c->ref);
	}

	/* What is read before the subflows may be older than they are. */
	get_reference(_metadata, c->fd, &c->ref);
}

static void tear_down(const struct connection *c)
{
	close(c->peer);
	close(c->fd);
	close(c->listener);
}

FIXTURE(content)
{
	struct connection c;
};

FIXTURE_VARIANT(content)
{
	const struct net *net;
	unsigned int subflows;
};

FIXTURE_VARIANT_ADD(content, ipv4_1) { &ipv4, 1 };
FIXTURE_VARIANT_ADD(content, ipv4_2) { &ipv4, 2 };
FIXTURE_VARIANT_ADD(content, ipv4_3) { &ipv4, 3 };
FIXTURE_VARIANT_ADD(content, ipv6_1) { &ipv6, 1 };
FIXTURE_VARIANT_ADD(content, ipv6_2) { &ipv6, 2 };
FIXTURE_VARIANT_ADD(content, ipv6_3) { &ipv6, 3 };
FIXTURE_VARIANT_ADD(content, mapped_1) { &mapped, 1 };
FIXTURE_VARIANT_ADD(content, mapped_2) { &mapped, 2 };
FIXTURE_VARIANT_ADD(content, mapped_3) { &mapped, 3 };

FIXTURE_SETUP(content)
{
	set_up(_metadata, &self->c, variant->net, variant->subflows);
}

FIXTURE_TEARDOWN(content)
{
	tear_down(&self->c);
}

/* The example in the commit that added MPTCP_TCPINFO, with room for two. */
TEST_F(content, example)
{
	const struct query q = { self->c.fd, MPTCP_TCPINFO };
	const __u32 size_kernel = self->c.ref.of[MPTCP_TCPINFO].size;
	const __u32 size = MIN(size_kernel, sizeof(struct tcp_info));
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

	ASSERT_EQ(getsockopt(q.fd, SOL_MPTCP, MPTCP_TCPINFO, &ti, &olen), 0);
	EXPECT_EQ(olen, sizeof(ti.d) + copied * size);
	EXPECT_EQ(ti.d.size_subflow_data, sizeof(ti.d));
	EXPECT_EQ(ti.d.num_subflows, variant->subflows);
	EXPECT_EQ(ti.d.size_kernel, size_kernel);
	EXPECT_EQ(ti.d.size_user, size);
	for (i = 0; i < copied; i++)
		EXPECT_EQ(elem[i * size], TCP_ESTABLISHED);
	for (i = copied * size; i < sizeof(ti.ti); i++)
		ASSERT_EQ(elem[i], 0);

	/* retry with enough room */
	expect_copied(_metadata, &q, sizeof(ti.d), sizeof(ti.ti[0]),
		      ti.d.num_subflows * sizeof(ti.ti[0]),
		      ti.d.num_subflows);
}

TEST_F(content, tcp_info)
{
	const struct query q = { self->c.fd, MPTCP_TCPINFO };
	struct {
		struct mptcp_subflow_data d;
		struct tcp_info ti;
	} first = { .d = HDR(HDR_SIZE, sizeof(first.ti)) };
	unsigned int snd_wscale, rcv_wscale;
	int len = sizeof(first);

	ASSERT_EQ(get(&q, &first, &len), 0);
	EXPECT_EQ(first.ti.tcpi_state, TCP_ESTABLISHED);
	snd_wscale = first.ti.tcpi_snd_wscale;
	rcv_wscale = first.ti.tcpi_rcv_wscale;
	EXPECT_GT(snd_wscale, rcv_wscale);
	EXPECT_GT(first.ti.tcpi_snd_mss, 0);
	EXPECT_GT(first.ti.tcpi_rcv_mss, 0);
	EXPECT_GT(first.ti.tcpi_segs_out, 0);
	EXPECT_GT(first.ti.tcpi_segs_in, 0);

	if (variant->subflows > 1)
		return;

	/* Not EQ: data that MPTCP retransmits is counted again. */
	EXPECT_GE(first.ti.tcpi_bytes_acked, REQUEST_LEN);
	EXPECT_GE(first.ti.tcpi_bytes_received, REPLY_LEN);
	expect_all(_metadata, self->c.peer, 1);
}

/* The peer also reports subflows that it is still trying to add. */
#define MAX_ADDRESSES	16

static unsigned int get_addresses(struct __test_metadata *_metadata, int fd,
				  struct addresses *addrs)
{
	const struct query q = { fd, MPTCP_SUBFLOW_ADDRS };
	struct {
		struct mptcp_subflow_data d;
		struct addresses addrs[MAX_ADDRESSES];
	} buf = { .d = HDR(HDR_SIZE, sizeof(*addrs)) };
	int len = sizeof(buf);

	ASSERT_EQ(get(&q, &buf, &len), 0);
	ASSERT_EQ(buf.d.size_kernel, sizeof(*addrs));
	ASSERT_EQ(len, HDR_SIZE + buf.d.num_subflows * sizeof(*addrs));
	memcpy(addrs, buf.addrs, sizeof(buf.addrs));

	return buf.d.num_subflows;
}

static bool has_addresses(struct __test_metadata *_metadata, int fd,
			  const struct addresses *want)
{
	struct addresses got[MAX_ADDRESSES];
	unsigned int i, num;

	num = get_addresses(_metadata, fd, got);
	for (i = 0; i < num && memcmp(&got[i], want, sizeof(*want)); i++)
		;

	return i < num;
}

/* Compares all bytes. Ports that are only known from the result itself are
 * checked against the addresses that the peer reports.
 */
TEST_F(content, addresses)
{
	const struct net *net = variant->net;
	struct addresses got[MAX_ADDRESSES], want;
	in_port_t from, to;
	unsigned int i;

	ASSERT_EQ(get_addresses(_metadata, self->c.fd, got), variant->subflows);

	to = local_port(_metadata, self->c.listener);
	from = local_port(_metadata, self->c.fd);
	for (i = 0; i < variant->subflows; i++) {
		int family = i ? family_of(net->ip[i]) : net->family;

		if (i)
			from = family == AF_INET ? got[i].local.v4.sin_port :
						   got[i].local.v6.sin6_port;

		want.local = make_address(family, net->ip[i], from);
		want.remote = make_address(family, net->ip[0], to);
		ASSERT_EQ(memcmp(&got[i], &want, sizeof(want)), 0) {
			TH_LOG("subflow %u", i);
		}

		/* The peer may not know the subflow yet. */
		want.local = make_address(net->family, net->ip[0], to);
		want.remote = make_address(net->family, net->ip[i], from);
		while (!has_addresses(_metadata, self->c.peer, &want))
			poll(NULL, 0, 1);
	}
}

TEST_F(content, ids)
{
	const struct elems *sf = &self->c.ref.of[MPTCP_FULL_INFO];
	__u32 id, padding = 0, last = 0;
	unsigned int i;

	ASSERT_LE(ID_SIZE(sf->size), sizeof(id) + sizeof(padding));
	memcpy(&id, sf->data, sizeof(id));
	EXPECT_EQ(id, 1);
	for (i = 0; i < variant->subflows; i++) {
		memcpy(&id, sf->data + i * sf->size, sizeof(id));
		memcpy(&padding, sf->data + i * sf->size + sizeof(id),
		       ID_SIZE(sf->size) - sizeof(id));

		/* Not EQ: failed attempts to add a subflow count, too. */
		EXPECT_GT(id, last);
		EXPECT_EQ(padding, 0);
		last = id;
	}
}

TEST_F(content, mptcp_info)
{
	const struct query q = { self->c.fd, MPTCP_INFO };
	const int optlen[] = { OLD_MPTCP_INFO_I386, OLD_MPTCP_INFO, BUF_SIZE };
	struct mptcp_info info;
	struct exchange x;
	unsigned int i;

	memcpy(&info, self->c.ref.of[MPTCP_INFO].data, sizeof(info));
	/* Older kernels do not report it. */
	if (self->c.ref.of[MPTCP_INFO].size >
	    offsetof(struct mptcp_info, mptcpi_subflows_total))
		EXPECT_EQ(info.mptcpi_subflows_total, variant->subflows);
	EXPECT_EQ(info.mptcpi_subflows, variant->subflows - 1);
	EXPECT_EQ(info.mptcpi_bytes_sent, REQUEST_LEN);
	EXPECT_EQ(info.mptcpi_bytes_received, REPLY_LEN);
	EXPECT_EQ(info.mptcpi_flags & (MPTCP_INFO_FLAG_FALLBACK |
				       MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED),
		  MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED);

	/* MPTCP_INFO reports the same */
	for (i = 0; i < ARRAY_SIZE(optlen); i++) {
		__u32 size;

		ask(_metadata, &q, &x, &info, 0, optlen[i]);
		size = MIN(optlen[i], x.before.of[MPTCP_INFO].size);
		want_elems(_metadata, &x, MPTCP_INFO, 0, 1, size);
		expect_success(_metadata, &x, size);
	}
}

/* The options whose buffer is a header and an array. */
FIXTURE(array)
{
	struct connection c;
	struct query q;
	__u32 size;			/* of an element in the kernel */
};

FIXTURE_VARIANT(array)
{
	int opt;
	const struct net *net;
	unsigned int subflows;
};

FIXTURE_VARIANT_ADD(array, tcpinfo_1) { MPTCP_TCPINFO, &ipv4, 1 };
FIXTURE_VARIANT_ADD(array, tcpinfo_2) { MPTCP_TCPINFO, &ipv6, 2 };
FIXTURE_VARIANT_ADD(array, tcpinfo_3) { MPTCP_TCPINFO, &mapped, 3 };
FIXTURE_VARIANT_ADD(array, addrs_1) { MPTCP_SUBFLOW_ADDRS, &ipv4, 1 };
FIXTURE_VARIANT_ADD(array, addrs_2) { MPTCP_SUBFLOW_ADDRS, &ipv6, 2 };
FIXTURE_VARIANT_ADD(array, addrs_3) { MPTCP_SUBFLOW_ADDRS, &mapped, 3 };

FIXTURE_SETUP(array)
{
	set_up(_metadata, &self->c, variant->net, variant->subflows);
	self->q.fd = self->c.fd;
	self->q.opt = variant->opt;
	self->size = self->c.ref.of[variant->opt].size;
}

FIXTURE_TEARDOWN(array)
{
	tear_down(&self->c);
}

/* Room for each number of elements, and one byte less and one byte more. */
TEST_F(array, room)
{
	unsigned int i, num = variant->subflows;
	__u32 size = self->size;

	for (i = 1; i <= num + 1; i++) {
		expect_copied(_metadata, &self->q, HDR_SIZE, size,
			      i * size - 1, MIN(num, i - 1));
		expect_copied(_metadata, &self->q, HDR_SIZE, size,
			      i * size, MIN(num, i));
		expect_copied(_metadata, &self->q, HDR_SIZE, size,
			      i * size + 1, MIN(num, i));
	}

	expect_copied(_metadata, &self->q, HDR_SIZE, size, INT_MAX - HDR_SIZE,
		      num);
}

TEST_F(array, count_only)
{
	const __u32 hdrs[] = { HDR_SIZE, HDR_SIZE + 1, 24, 4096 };
	__u32 size = self->size;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hdrs); i++) {
		expect_copied(_metadata, &self->q, hdrs[i], 0, 0, 0);
		expect_copied(_metadata, &self->q, hdrs[i], 0, 2 * size, 0);
		expect_copied(_metadata, &self->q, hdrs[i], 1, 0, 0);
		expect_copied(_metadata, &self->q, hdrs[i], size, 0, 0);
		expect_copied(_metadata, &self->q, hdrs[i], size, 1, 0);
		expect_copied(_metadata, &self->q, hdrs[i], INT_MAX, 0, 0);
	}

	expect_copied(_metadata, &self->q, INT_MAX, size, 0, 0);
	expect_copied(_metadata, &self->q, INT_MAX - 1, size, 1, 0);
}

/* The shorter elements of an older user space. */
TEST_F(array, short_elements)
{
	const __u32 sizes[] = { 1, 4, 104, OLD_TCP_INFO, self->size - 1 };
	unsigned int i, num = variant->subflows;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect_copied(_metadata, &self->q, HDR_SIZE, sizes[i],
			      sizes[i], 1);
		expect_copied(_metadata, &self->q, HDR_SIZE, sizes[i],
			      num * sizes[i], num);
		expect_copied(_metadata, &self->q, HDR_SIZE, sizes[i],
			      num * sizes[i] - 1, num - 1);
		expect_copied(_metadata, &self->q, HDR_SIZE, sizes[i],
			      MAX_SUBFLOWS * self->size, num);
	}
}

/* The longer elements of a newer user space: they are written in the kernel's
 * size, and without a gap.
 */
TEST_F(array, long_elements)
{
	const __u32 sizes[] = { self->size + 1, 2 * self->size, INT_MAX };
	unsigned int i, num = variant->subflows;
	__u32 size = self->size;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect_copied(_metadata, &self->q, HDR_SIZE, sizes[i],
			      num * size, num);
		expect_copied(_metadata, &self->q, HDR_SIZE, sizes[i],
			      num * size - 1, num - 1);
		expect_copied(_metadata, &self->q, HDR_SIZE, sizes[i],
			      2 * num * size, num);
	}
}

/* A header of a newer user space: only the part the kernel knows is written. */
TEST_F(array, long_header)
{
	const __u32 hdrs[] = { HDR_SIZE + 1, 24, 32, 4096 };
	unsigned int i, num = variant->subflows;
	__u32 size = self->size;

	for (i = 0; i < ARRAY_SIZE(hdrs); i++) {
		expect_copied(_metadata, &self->q, hdrs[i], size,
			      num * size, num);
		expect_copied(_metadata, &self->q, hdrs[i], size,
			      num * size - 1, num - 1);
		expect_copied(_metadata, &self->q, hdrs[i], 4, num * 4, num);
		expect_copied(_metadata, &self->q, hdrs[i], size + 8,
			      num * size, num);
	}
}

TEST_F(array, invalid)
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
		expect_refused(_metadata, &self->q, EINVAL, &bad[i].d,
			       sizeof(bad[i].d), bad[i].optlen);
}

/* Maps two writable pages, and returns the start of the second one. */
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

/* Some kernels copy from user memory that user space itself cannot access. */
static bool copies_from(struct __test_metadata *_metadata, const void *addr)
{
	int fds[2];
	ssize_t ret;

	ASSERT_EQ(pipe(fds), 0);
	ret = write(fds[1], addr, 1);
	close(fds[0]);
	close(fds[1]);

	return ret == 1;
}

static bool untouched(const unsigned char *p, size_t len)
{
	while (len && p[len - 1] == CANARY)
		len--;

	return !len;
}

/* Compares the first byte of each element, which is not a time. */
static void expect_written(struct __test_metadata *_metadata,
			   const unsigned char *array,
			   const struct reference *ref, int opt, __u32 num)
{
	__u32 i, size = ref->of[opt].size;

	for (i = 0; i < num; i++)
		EXPECT_EQ(array[i * size], ref->of[opt].data[i * size]);
}

/* The header is validated before an element is written. If an element faults,
 * the header and optlen remain as they were. Memory that is not written need
 * not be accessible.
 */
TEST_F(array, fault_element)
{
	const struct mptcp_subflow_data d = HDR(HDR_SIZE, self->size);
	struct mptcp_subflow_data bad = d, *h;
	unsigned char *edge, *elem;
	int len;

	edge = map_two_pages(_metadata);
	protect_page(_metadata, edge, PROT_NONE);

	/* the first element faults */
	h = (void *)(edge - HDR_SIZE);
	bad.size_kernel = 1;
	*h = bad;
	len = HDR_SIZE + 2 * self->size;
	EXPECT_EQ(get(&self->q, h, &len), -EINVAL);
	EXPECT_EQ(len, HDR_SIZE + 2 * self->size);
	EXPECT_EQ(memcmp(h, &bad, sizeof(bad)), 0);

	*h = d;
	EXPECT_EQ(get(&self->q, h, &len), -EFAULT);
	EXPECT_EQ(len, HDR_SIZE + 2 * self->size);
	EXPECT_EQ(memcmp(h, &d, sizeof(d)), 0);

	/* no element is written */
	len = HDR_SIZE + self->size - 1;
	EXPECT_EQ(get(&self->q, h, &len), 0);
	EXPECT_EQ(len, HDR_SIZE);
	EXPECT_EQ(h->num_subflows, variant->subflows);

	*h = HDR(HDR_SIZE, 0);
	len = HDR_SIZE + self->size;
	EXPECT_EQ(get(&self->q, h, &len), 0);
	EXPECT_EQ(len, HDR_SIZE);
	EXPECT_EQ(h->num_subflows, variant->subflows);

	/* the second element faults, if there is one */
	elem = edge - self->size;
	h = (void *)(elem - HDR_SIZE);
	*h = d;
	memset(elem, CANARY, self->size);
	len = HDR_SIZE + 2 * self->size;
	if (variant->subflows == 1) {
		EXPECT_EQ(get(&self->q, h, &len), 0);
		EXPECT_EQ(len, HDR_SIZE + self->size);
		EXPECT_EQ(h->num_subflows, 1);
	} else {
		EXPECT_EQ(get(&self->q, h, &len), -EFAULT);
		EXPECT_EQ(len, HDR_SIZE + 2 * self->size);
		EXPECT_EQ(memcmp(h, &d, sizeof(d)), 0);
	}
	expect_written(_metadata, elem, &self->c.ref, variant->opt, 1);
	EXPECT_FALSE(untouched(edge - sizeof(__u32), sizeof(__u32)));
}

/* optlen is written after the elements and before the header. */
TEST_F(array, fault_optlen_write)
{
	const struct mptcp_subflow_data d = HDR(HDR_SIZE, self->size);
	unsigned char *edge = map_two_pages(_metadata);
	struct mptcp_subflow_data *h = (void *)(edge - BUF_SIZE / 4);
	const int room = variant->subflows * self->size;
	unsigned char *elem = (void *)(h + 1);
	int *len = (void *)edge;

	*h = d;
	*len = HDR_SIZE + room;
	protect_page(_metadata, len, PROT_READ);
	EXPECT_EQ(get(&self->q, h, len), -EFAULT);

	EXPECT_EQ(*len, HDR_SIZE + room);
	EXPECT_EQ(memcmp(h, &d, sizeof(d)), 0);
	expect_written(_metadata, elem, &self->c.ref, variant->opt,
		       variant->subflows);
	EXPECT_TRUE(untouched(elem + room, edge - elem - room));
}

TEST_F(array, fault_header_write)
{
	const struct mptcp_subflow_data d = HDR(HDR_SIZE, self->size);
	const long page = sysconf(_SC_PAGESIZE);
	unsigned char *edge = map_two_pages(_metadata);
	struct mptcp_subflow_data *h = (void *)(edge - HDR_SIZE);
	const int room = variant->subflows * self->size;
	int len;

	*h = d;
	protect_page(_metadata, edge - page, PROT_READ);

	len = HDR_SIZE + self->size - 1;
	EXPECT_EQ(get(&self->q, h, &len), -EFAULT);
	EXPECT_EQ(len, HDR_SIZE);
	EXPECT_TRUE(untouched(edge, page));

	len = HDR_SIZE + room + 1;
	EXPECT_EQ(get(&self->q, h, &len), -EFAULT);
	EXPECT_EQ(len, HDR_SIZE + room);
	expect_written(_metadata, edge, &self->c.ref, variant->opt,
		       variant->subflows);
	EXPECT_TRUE(untouched(edge + room, page - room));

	EXPECT_EQ(memcmp(h, &d, sizeof(d)), 0);
}

/* The unknown part of a longer header need not be accessible. */
TEST_F(array, inaccessible_extension)
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
	EXPECT_EQ(get(&self->q, h, &len), 0);
	EXPECT_EQ(len, HDR_SIZE);
	EXPECT_EQ(h->size_subflow_data, HDR_SIZE + page);
	EXPECT_EQ(h->num_subflows, variant->subflows);
	EXPECT_EQ(h->size_kernel, self->size);
	EXPECT_EQ(h->size_user, self->size);
}

/* If the targets overlap, the last write remains. */
TEST_F(array, write_order)
{
	struct {
		struct mptcp_subflow_data d;
		union {
			int len;
			unsigned char elem[ELEM_MAX];
		};
	} buf;

	buf.d = HDR(HDR_SIZE, self->size);
	buf.len = HDR_SIZE + self->size;
	EXPECT_EQ(get(&self->q, &buf, &buf.len), 0);
	EXPECT_EQ(buf.len, HDR_SIZE + self->size);

	buf.d = HDR(HDR_SIZE, HDR_SIZE + self->size);
	EXPECT_EQ(get(&self->q, &buf, &buf.d.size_user), 0);
	EXPECT_EQ(buf.d.size_user, self->size);
}

/* MPTCP_FULL_INFO: a header that points to two arrays */
FIXTURE(full_info)
{
	struct connection c;
	struct query q;
	__u32 sf_size, ti_size;		/* of an element in the kernel */
	__u32 info_size;
};

FIXTURE_VARIANT(full_info)
{
	const struct net *net;
	unsigned int subflows;
};

FIXTURE_VARIANT_ADD(full_info, ipv4_1) { &ipv4, 1 };
FIXTURE_VARIANT_ADD(full_info, ipv6_2) { &ipv6, 2 };
FIXTURE_VARIANT_ADD(full_info, mapped_3) { &mapped, 3 };

FIXTURE_SETUP(full_info)
{
	set_up(_metadata, &self->c, variant->net, variant->subflows);
	self->q.fd = self->c.fd;
	self->q.opt = MPTCP_FULL_INFO;
	self->sf_size = self->c.ref.of[MPTCP_FULL_INFO].size;
	self->ti_size = self->c.ref.of[MPTCP_TCPINFO].size;
	self->info_size = self->c.ref.of[MPTCP_INFO].size;
}

FIXTURE_TEARDOWN(full_info)
{
	tear_down(&self->c);
}

/* The number of subflows does not depend on the length of the arrays. */
TEST_F(full_info, array_lengths)
{
	const __u32 nums[] = { 0, 1, 2, 3, 4, INT_MAX, INT_MAX + 1U, UINT_MAX };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nums); i++) {
		expect_full(_metadata, self->q.fd, self->sf_size, self->ti_size,
			    nums[i], FULL_SIZE);
		expect_full(_metadata, self->q.fd, ELEM_MAX, 0, nums[i],
			    BUF_SIZE);
		expect_full(_metadata, self->q.fd, 0, ELEM_MAX, nums[i],
			    BUF_SIZE);
	}
}

/* All combinations of the sizes of both kinds of elements. Those that are
 * larger than the kernel's are written in the kernel's size, without a gap.
 */
TEST_F(full_info, element_sizes)
{
	const __u32 id = ID_SIZE(self->sf_size);
	const __u32 sf[] = { 0, 1, id / 2, id / 2 + 1, id, id + 1,
			     self->sf_size - 1, self->sf_size,
			     self->sf_size + 1, INT_MAX };
	const __u32 ti[] = { 0, 1, 4, 5, 8, OLD_TCP_INFO, self->ti_size - 1,
			     self->ti_size, self->ti_size + 1, INT_MAX };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sf); i++)
		for (j = 0; j < ARRAY_SIZE(ti); j++)
			expect_full(_metadata, self->q.fd, sf[i], ti[j],
				    variant->subflows, FULL_SIZE);
}

/* optlen truncates struct mptcp_info, down to nothing. */
TEST_F(full_info, optlen)
{
	const int all = FULL_SIZE + self->info_size;
	const int optlen[] = { FULL_SIZE, FULL_SIZE + 1, FULL_SIZE + 8,
			       FULL_SIZE + OLD_MPTCP_INFO_I386,
			       FULL_SIZE + OLD_MPTCP_INFO, all - 1, all,
			       all + 1, BUF_SIZE, INT_MAX };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(optlen); i++) {
		expect_full(_metadata, self->q.fd, 0, 0, 0, optlen[i]);
		expect_full(_metadata, self->q.fd, self->sf_size, self->ti_size,
			    MAX_SUBFLOWS, optlen[i]);
	}
}

/* The addresses of the arrays are 0: writing an element fails with EFAULT. */
TEST_F(full_info, invalid)
{
	const __u32 num = MAX_SUBFLOWS;
	const struct {
		int optlen;
		struct mptcp_full_info mfi;
	} bad[] = {
		{ 0,			{ 0, 1, 0, 1, 0, num } },
		{ FULL_SIZE - 1,	{ 0, 1, 0, 1, 0, num } },
		{ -1,			{ 0, 1, 0, 1, 0, num } },
		{ INT_MIN,		{ 0, 1, 0, 1, 0, num } },
		{ FULL_SIZE,		{ 1, 1, 0, 1, 0, num } },
		{ INT_MAX,		{ self->ti_size, 1, 0, 1, 0, num } },
		{ FULL_SIZE,		{ UINT_MAX, 1, 0, 1, 0, 0 } },
		{ FULL_SIZE,		{ 0, 1, 1, 1, 0, num } },
		{ INT_MAX,		{ 0, 1, self->sf_size, 1, 0, num } },
		{ FULL_SIZE,		{ 0, 1, UINT_MAX, 1, 0, 0 } },
		{ FULL_SIZE,		{ 0, 1, 0, 1, 1, num } },
		{ INT_MAX,		{ 0, 1, 0, 1, num, num } },
		{ FULL_SIZE,		{ 0, 1, 0, 1, UINT_MAX, 0 } },
		{ FULL_SIZE,		{ 0, INT_MAX + 1U, 0, 1, 0, num } },
		{ INT_MAX,		{ 0, UINT_MAX, 0, 1, 0, 0 } },
		{ FULL_SIZE,		{ 0, 1, 0, INT_MAX + 1U, 0, num } },
		{ INT_MAX,		{ 0, 1, 0, UINT_MAX, 0, 0 } },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		expect_refused(_metadata, &self->q, EINVAL, &bad[i].mfi,
			       FULL_SIZE, bad[i].optlen);
}

/* An array need not be accessible if nothing is written to it. */
TEST_F(full_info, unused_pointer)
{
	const __u32 sf = self->sf_size, ti = self->ti_size;
	const __u64 none = (uintptr_t)map_two_pages(_metadata);
	const __u64 bad[] = { 0, none, -1 };
	unsigned char array[ELEM_MAX];
	const __u64 ok = (uintptr_t)array;
	unsigned int i, j;

	protect_page(_metadata, (void *)(uintptr_t)none, PROT_NONE);

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct {
			int err;
			struct mptcp_full_info mfi;
		} tests[] = {
			{ 0,	  { 0, ti, 0, sf, 0, 0, bad[i], bad[i] } },
			{ 0,	  { 0, 0, 0, 0, 0, 1, bad[i], bad[i] } },
			{ 0,	  { 0, ti, 0, 0, 0, 1, bad[i], ok } },
			{ 0,	  { 0, 0, 0, sf, 0, 1, ok, bad[i] } },
			{ EFAULT, { 0, ti, 0, 1, 0, 1, bad[i], ok } },
			{ EFAULT, { 0, 1, 0, sf, 0, 1, ok, bad[i] } },
		};

		for (j = 0; j < ARRAY_SIZE(tests); j++) {
			struct mptcp_full_info mfi = tests[j].mfi;
			int len = sizeof(mfi);

			EXPECT_EQ(get(&self->q, &mfi, &len), -tests[j].err) {
				TH_LOG("test %u, pointer %u", j, i);
			}
			if (!tests[j].err)
				continue;
			EXPECT_EQ(len, sizeof(mfi));
			EXPECT_EQ(memcmp(&mfi, &tests[j].mfi, sizeof(mfi)), 0);
		}
	}
}

/* Each subflow's struct mptcp_subflow_info is written before its tcp_info,
 * and both before those of the next subflow.
 */
TEST_F(full_info, fault_element)
{
	const unsigned int num = variant->subflows, sf_size = self->sf_size,
			   ti_size = self->ti_size;
	const long page = sysconf(_SC_PAGESIZE);
	unsigned int i;

	for (i = 0; i < 2 * num; i++) {
		const unsigned int sfs = i / 2 + i % 2, tis = i / 2;
		unsigned char *sf, *ti, *sf_edge, *ti_edge;
		struct mptcp_full_info mfi, old;
		int len = sizeof(mfi);

		/* one array ends where it faults, the other has room */
		sf_edge = map_two_pages(_metadata);
		ti_edge = map_two_pages(_metadata);
		protect_page(_metadata, sf_edge, PROT_NONE);
		protect_page(_metadata, ti_edge, PROT_NONE);
		sf = sf_edge - (i % 2 ? num : sfs) * sf_size;
		ti = ti_edge - (i % 2 ? tis : num) * ti_size;

		memset(&mfi, 0, sizeof(mfi));
		mfi.size_tcpinfo_user = ti_size;
		mfi.size_sfinfo_user = sf_size;
		mfi.size_arrays_user = num;
		mfi.subflow_info = (uintptr_t)sf;
		mfi.tcp_info = (uintptr_t)ti;
		old = mfi;

		EXPECT_EQ(get(&self->q, &mfi, &len), -EFAULT);
		EXPECT_EQ(len, sizeof(mfi));
		EXPECT_EQ(memcmp(&mfi, &old, sizeof(mfi)), 0);
		expect_written(_metadata, sf, &self->c.ref, MPTCP_FULL_INFO,
			       sfs);
		expect_written(_metadata, ti, &self->c.ref, MPTCP_TCPINFO, tis);
		EXPECT_TRUE(untouched(sf + sfs * sf_size,
				      sf_edge - sf - sfs * sf_size));
		EXPECT_TRUE(untouched(ti + tis * ti_size,
				      ti_edge - ti - tis * ti_size));

		munmap(sf_edge - page, 2 * page);
		munmap(ti_edge - page, 2 * page);
	}
}

/* optlen is written after the elements, then the header with mptcp_info. */
TEST_F(full_info, fault_header_write)
{
	const unsigned int num = variant->subflows;
	const long page = sysconf(_SC_PAGESIZE);
	unsigned char *edge = map_two_pages(_metadata);
	unsigned char sf[MAX_SUBFLOWS * ELEM_MAX], ti[MAX_SUBFLOWS * ELEM_MAX];
	const struct mptcp_full_info mfi = {
		.size_tcpinfo_user = self->ti_size,
		.size_sfinfo_user = self->sf_size,
		.size_arrays_user = num,
		.subflow_info = (uintptr_t)sf,
		.tcp_info = (uintptr_t)ti,
	};
	unsigned char *req = edge - FULL_SIZE;
	int *const lens[] = { (void *)(edge + page - sizeof(int)),
			      (void *)(req - sizeof(int)) };
	unsigned int i;

	memcpy(req, &mfi, FULL_SIZE);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		*lens[i] = BUF_SIZE;
		memset(sf, CANARY, sizeof(sf));
		memset(ti, CANARY, sizeof(ti));

		/* the header faults, and so does an optlen on the same page */
		protect_page(_metadata, edge - page, PROT_READ);
		EXPECT_EQ(get(&self->q, req, lens[i]), -EFAULT);
		EXPECT_EQ(*lens[i], i ? BUF_SIZE : FULL_SIZE + self->info_size);
		EXPECT_EQ(memcmp(req, &mfi, FULL_SIZE), 0);
		expect_written(_metadata, sf, &self->c.ref, MPTCP_FULL_INFO,
			       num);
		expect_written(_metadata, ti, &self->c.ref, MPTCP_TCPINFO, num);
		protect_page(_metadata, edge - page, PROT_READ | PROT_WRITE);
	}

	/* mptcp_info faults, but need not be accessible if not requested */
	protect_page(_metadata, edge, PROT_NONE);
	*lens[1] = FULL_SIZE + 1;
	EXPECT_EQ(get(&self->q, req, lens[1]), -EFAULT);
	EXPECT_EQ(*lens[1], FULL_SIZE + 1);

	memcpy(req, &mfi, FULL_SIZE);
	*lens[1] = FULL_SIZE;
	EXPECT_EQ(get(&self->q, req, lens[1]), 0);
	EXPECT_EQ(*lens[1], FULL_SIZE);
}

/* If the targets overlap, the last write remains. */
TEST_F(full_info, write_order)
{
	const struct elems *ti = &self->c.ref.of[MPTCP_TCPINFO];
	unsigned char array[MAX_SUBFLOWS * ELEM_MAX];
	struct mptcp_full_info mfi = {
		.size_tcpinfo_user = 1,
		.size_sfinfo_user = 1,
		.size_arrays_user = MAX_SUBFLOWS,
		.subflow_info = (uintptr_t)array,
		.tcp_info = (uintptr_t)array,
	}, old = mfi;
	unsigned int i;
	int len;

	len = FULL_SIZE;
	memset(array, CANARY, sizeof(array));
	EXPECT_EQ(get(&self->q, &mfi, &len), 0);
	for (i = 0; i < variant->subflows; i++)
		EXPECT_EQ(array[i], ti->data[i * ti->size]);
	EXPECT_TRUE(untouched(array + i, sizeof(array) - i));

	/* optlen over the elements */
	mfi = old;
	mfi.subflow_info = (uintptr_t)&len;
	mfi.tcp_info = (uintptr_t)&len;
	len = FULL_SIZE;
	EXPECT_EQ(get(&self->q, &mfi, &len), 0);
	EXPECT_EQ(len, FULL_SIZE);

	/* the header over elements and optlen */
	mfi = old;
	mfi.size_tcpinfo_user = BUF_SIZE;
	mfi.subflow_info = (uintptr_t)&mfi.size_tcpinfo_kernel;
	EXPECT_EQ(get(&self->q, &mfi, &mfi.size_tcpinfo_user), 0);
	EXPECT_EQ(mfi.size_tcpinfo_kernel, self->ti_size);
	EXPECT_EQ(mfi.size_tcpinfo_user, self->ti_size);
}

/* Behaviour that is common to all options. */
FIXTURE(option)
{
	struct connection c;
	struct query q;
};

FIXTURE_VARIANT(option)
{
	const struct option *opt;
};

FIXTURE_VARIANT_ADD(option, tcpinfo) { &options[0] };
FIXTURE_VARIANT_ADD(option, subflow_addrs) { &options[1] };
FIXTURE_VARIANT_ADD(option, full_info) { &options[2] };

FIXTURE_SETUP(option)
{
	set_up(_metadata, &self->c, &ipv4, 1);
	self->q.fd = self->c.fd;
	self->q.opt = variant->opt->name;
}

FIXTURE_TEARDOWN(option)
{
	tear_down(&self->c);
}

/* optlen is read and validated before the header is read. */
TEST_F(option, bad_pointer)
{
	const struct option *opt = variant->opt;
	unsigned char *none = map_two_pages(_metadata);
	void *bad[] = { NULL, none, (void *)-1L };
	struct mptcp_full_info buf = opt->full;
	unsigned int i;
	int len;

	protect_page(_metadata, none, PROT_NONE);
	if (copies_from(_metadata, none))
		SKIP(return, "copies from user memory ignore PROT_NONE");

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(get(&self->q, &buf, bad[i]), -EFAULT);
		EXPECT_EQ(get(&self->q, bad[i], bad[i]), -EFAULT);
		EXPECT_EQ(memcmp(&buf, &opt->full, sizeof(buf)), 0);

		len = opt->size;
		EXPECT_EQ(get(&self->q, bad[i], &len), -EFAULT);
		EXPECT_EQ(len, opt->size);

		len = opt->size - 1;
		EXPECT_EQ(get(&self->q, bad[i], &len), -EINVAL);
		EXPECT_EQ(len, opt->size - 1);
	}
}

/* The whole header is read, and nothing after it. */
TEST_F(option, fault_header_read)
{
	const struct option *opt = variant->opt;
	unsigned char *edge = map_two_pages(_metadata);
	unsigned char *req = edge - opt->size;
	int len = opt->size;

	memcpy(req, &opt->hdr, opt->size);
	protect_page(_metadata, edge, PROT_NONE);
	if (copies_from(_metadata, edge))
		SKIP(return, "copies from user memory ignore PROT_NONE");

	EXPECT_EQ(get(&self->q, req, &len), 0);

	memcpy(req + 1, &opt->hdr, opt->size - 1);
	EXPECT_EQ(get(&self->q, req + 1, &len), -EFAULT);
	EXPECT_EQ(len, opt->size);
	EXPECT_EQ(memcmp(req + 1, &opt->hdr, opt->size - 1), 0);
}

/* optlen is written before the header, and may cross the end of a page. */
TEST_F(option, fault_optlen_write)
{
	const struct option *opt = variant->opt;
	unsigned char *edge = map_two_pages(_metadata);
	unsigned char *places[] = { edge, edge - 2 };
	struct mptcp_full_info buf = opt->full;
	int optlen[] = { opt->size - 1, opt->size };
	int err[] = { EINVAL, EFAULT };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		for (j = 0; j < ARRAY_SIZE(optlen); j++) {
			memcpy(places[i], &optlen[j], sizeof(optlen[j]));
			protect_page(_metadata, edge, PROT_READ);
			EXPECT_EQ(get(&self->q, &buf, places[i]), -err[j]);
			EXPECT_EQ(memcmp(places[i], &optlen[j],
					 sizeof(optlen[j])), 0);
			EXPECT_EQ(memcmp(&buf, &opt->full, sizeof(buf)), 0);
			protect_page(_metadata, edge, PROT_READ | PROT_WRITE);
		}
	}
}

/* The largest number of subflows that a connection can have: the first one,
 * and as many as the path manager allows.
 */
#define MOST_EXTRA	64
#define MOST_SUBFLOWS	(1 + MOST_EXTRA)

FIXTURE(most_subflows)
{
	struct connection c;
};

/* The address of each subflow of the end that connects. */
static const char *nth_ip(unsigned int n)
{
	static char ip[INET_ADDRSTRLEN];

	snprintf(ip, sizeof(ip), "127.0.0.%u", n + 1);

	return ip;
}

/* The first byte of an element is the state. */
static bool most_established(struct __test_metadata *_metadata, int fd)
{
	const struct query q = { fd, MPTCP_TCPINFO };
	struct {
		struct mptcp_subflow_data d;
		unsigned char states[MOST_SUBFLOWS];
	} buf = { .d = HDR(HDR_SIZE, 1) };
	int len = sizeof(buf);
	unsigned int i;

	ASSERT_EQ(get(&q, &buf, &len), 0);
	for (i = 0; i < MOST_SUBFLOWS; i++)
		if (buf.states[i] != TCP_ESTABLISHED)
			return false;

	return true;
}

FIXTURE_SETUP(most_subflows)
{
	struct connection *c = &self->c;
	unsigned int i;
	char limit[8];
	int status;

	new_netns(_metadata);
	ASSERT_EQ(chdir(dirname(program_invocation_name)), 0);

	/* pm_nl_ctl exits with 1 if the kernel refuses the limit. */
	snprintf(limit, sizeof(limit), "%u", MOST_EXTRA);
	status = run_pm_nl_ctl(_metadata, "limits", "0", limit, NULL);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1 &&
	    !expect_all_features())
		SKIP(return, "the path manager allows fewer subflows");
	ASSERT_EQ(status, 0);
	for (i = 1; i < MOST_SUBFLOWS; i++)
		set_path_manager(_metadata, "add", nth_ip(i), "flags",
				 "subflow");

	/* The peer has the same endpoints. It does not add any subflow before
	 * it is accepted, and then there is no room for more.
	 */
	start(_metadata, c, &ipv4);
	ASSERT_EQ(send(c->fd, "x", 1, 0), 1);
	while (!most_established(_metadata, c->fd))
		poll(NULL, 0, 1);

	c->peer = accept(c->listener, NULL, NULL);
	ASSERT_GE(c->peer, 0);
	while (!most_established(_metadata, c->peer))
		poll(NULL, 0, 1);
}

FIXTURE_TEARDOWN(most_subflows)
{
	tear_down(&self->c);
}

struct most {
	__u32 size;				/* of one element */
	unsigned char data[(MOST_SUBFLOWS + 1) * ELEM_MAX];
};

/* Expect the number of subflows, and elements of @opt for @room of them. */
static void expect_most(struct __test_metadata *_metadata, int fd, int opt,
			__u32 room, struct most *elems)
{
	const struct query q = { fd, opt };
	struct mptcp_subflow_data d = HDR(HDR_SIZE, 0);
	static struct {
		struct mptcp_subflow_data d;
		unsigned char data[sizeof(elems->data)];
	} buf;
	int len = sizeof(d), want_len;

	ASSERT_EQ(get(&q, &d, &len), 0);
	EXPECT_EQ(len, HDR_SIZE);
	EXPECT_EQ(d.num_subflows, MOST_SUBFLOWS);
	ASSERT_LE(d.size_kernel, ELEM_MAX);

	memset(&buf, CANARY, sizeof(buf));
	buf.d = HDR(HDR_SIZE, d.size_kernel);
	len = HDR_SIZE + room * d.size_kernel;
	want_len = HDR_SIZE + MIN(room, MOST_SUBFLOWS) * d.size_kernel;
	ASSERT_EQ(get(&q, &buf, &len), 0);
	EXPECT_EQ(len, want_len);
	EXPECT_EQ(buf.d.num_subflows, MOST_SUBFLOWS);
	EXPECT_TRUE(untouched((void *)&buf + want_len, sizeof(buf) - want_len));

	elems->size = d.size_kernel;
	memcpy(elems->data, buf.data, sizeof(elems->data));
}

/* The same for MPTCP_FULL_INFO, with its two arrays. */
static void expect_most_full(struct __test_metadata *_metadata, int fd,
			     __u32 room, struct most *sf, struct most *ti)
{
	const struct query q = { fd, MPTCP_FULL_INFO };
	const __u32 copied = MIN(room, MOST_SUBFLOWS);
	struct mptcp_full_info mfi = {
		.size_tcpinfo_user = ELEM_MAX,
		.size_sfinfo_user = ELEM_MAX,
		.size_arrays_user = room,
		.subflow_info = (uintptr_t)sf->data,
		.tcp_info = (uintptr_t)ti->data,
	};
	int len = FULL_SIZE;

	memset(sf, CANARY, sizeof(*sf));
	memset(ti, CANARY, sizeof(*ti));
	ASSERT_EQ(get(&q, &mfi, &len), 0);
	EXPECT_EQ(len, FULL_SIZE);
	EXPECT_EQ(mfi.num_subflows, MOST_SUBFLOWS);
	EXPECT_EQ(mfi.size_arrays_user, room);

	sf->size = mfi.size_sfinfo_user;
	ti->size = mfi.size_tcpinfo_user;
	ASSERT_LE(sf->size, ELEM_MAX);
	ASSERT_LE(ti->size, ELEM_MAX);
	EXPECT_TRUE(untouched(sf->data + copied * sf->size,
			      sizeof(sf->data) - copied * sf->size));
	EXPECT_TRUE(untouched(ti->data + copied * ti->size,
			      sizeof(ti->data) - copied * ti->size));
}

/* Room for one subflow less, for each, and for one more. Starting pm_nl_ctl so
 * often takes a while on an emulated machine.
 */
TEST_F_TIMEOUT(most_subflows, room, 1200)
{
	static struct most ti, addrs, sf, sf_ti;
	const int ends[] = { self->c.fd, self->c.peer };
	unsigned int i, end;
	__u32 room;

	for (end = 0; end < ARRAY_SIZE(ends); end++) {
		for (room = MOST_EXTRA; room <= MOST_SUBFLOWS + 1; room++) {
			__u32 id, last = 0;

			expect_most(_metadata, ends[end], MPTCP_TCPINFO, room,
				    &ti);
			expect_most(_metadata, ends[end], MPTCP_SUBFLOW_ADDRS,
				    room, &addrs);
			expect_most_full(_metadata, ends[end], room, &sf,
					 &sf_ti);
			ASSERT_EQ(ti.size, sf_ti.size);
			ASSERT_EQ(addrs.size, sizeof(struct addresses));

			for (i = 0; i < MIN(room, MOST_SUBFLOWS); i++) {
				const unsigned char *sfi;
				union address want, got;
				struct addresses a;

				EXPECT_EQ(ti.data[i * ti.size],
					  TCP_ESTABLISHED);
				EXPECT_EQ(sf_ti.data[i * ti.size],
					  TCP_ESTABLISHED);

				sfi = sf.data + i * sf.size;
				memcpy(&id, sfi, sizeof(id));
				EXPECT_GT(id, last);
				last = id;

				memcpy(&a, addrs.data + i * sizeof(a),
				       sizeof(a));
				EXPECT_EQ(memcmp(sfi + ID_SIZE(sf.size), &a,
						 sizeof(a)), 0);
				got = end ? a.remote : a.local;
				want = make_address(AF_INET, nth_ip(i),
						    got.v4.sin_port);
				EXPECT_EQ(memcmp(&got, &want, sizeof(got)), 0);
			}
		}
	}
}

FIXTURE(not_connected)
{
	int fd;
};

FIXTURE_VARIANT(not_connected)
{
	int family;
	const char *ip;
};

FIXTURE_VARIANT_ADD(not_connected, ipv4) { AF_INET, "127.0.0.1" };
FIXTURE_VARIANT_ADD(not_connected, ipv4_any) { AF_INET, "0.0.0.0" };
FIXTURE_VARIANT_ADD(not_connected, ipv6) { AF_INET6, "::1" };
FIXTURE_VARIANT_ADD(not_connected, ipv6_any) { AF_INET6, "::" };
FIXTURE_VARIANT_ADD(not_connected, mapped) { AF_INET6, "127.0.0.1" };

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

/* Expect one subflow in @state, bound to @ip. */
static void expect_bound(struct __test_metadata *_metadata, int fd, int state,
			 int family, const char *ip)
{
	struct addresses got[MAX_ADDRESSES], want;
	struct reference ref;

	memset(&want, 0, sizeof(want));
	want.local = make_address(family, ip, local_port(_metadata, fd));
	want.remote.sa.sa_family = family;
	ASSERT_EQ(get_addresses(_metadata, fd, got), 1);
	EXPECT_EQ(memcmp(&got[0], &want, sizeof(want)), 0);

	get_reference(_metadata, fd, &ref);
	EXPECT_EQ(ref.of[MPTCP_TCPINFO].data[0], state);
	expect_all(_metadata, fd, 1);
}

/* The kernel creates the first subflow only when it is needed. */
TEST_F(not_connected, no_subflow)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *opt = &options[i];
		struct query q = { self->fd, opt->name };

		expect_refused(_metadata, &q, EINVAL, &opt->hdr, opt->size,
			       opt->size - 1);
	}

	expect_all(_metadata, self->fd, 0);
}

TEST_F(not_connected, bound)
{
	ASSERT_EQ(bind_to(self->fd, variant->family, variant->ip), 0);
	expect_bound(_metadata, self->fd, TCP_CLOSE, variant->family,
		     variant->ip);
}

/* A socket that is bound to a multicast group has no source address. The
 * options report the address that it is bound to.
 */
TEST(bound_to_group)
{
	const char *group = "224.0.0.1";
	int fd;

	new_netns(_metadata);
	fd = new_socket(_metadata, AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	ASSERT_EQ(bind_to(fd, AF_INET, group), 0);
	expect_bound(_metadata, fd, TCP_CLOSE, AF_INET, group);
	close(fd);
}

TEST_F(not_connected, listening)
{
	ASSERT_EQ(bind_to(self->fd, variant->family, variant->ip), 0);
	ASSERT_EQ(listen(self->fd, 7), 0);
	expect_bound(_metadata, self->fd, TCP_LISTEN, variant->family,
		     variant->ip);
}

/* After a fallback to TCP, the request is passed to the TCP socket. */
TEST_F(not_connected, fallback)
{
	int err = variant->family == AF_INET ? EOPNOTSUPP : ENOPROTOOPT;
	unsigned int i;
	int lfd;

	lfd = new_socket(_metadata, variant->family, SOCK_STREAM, IPPROTO_TCP);
	ASSERT_EQ(bind_to(lfd, variant->family, variant->ip), 0);
	ASSERT_EQ(listen(lfd, 1), 0);
	connect_to(_metadata, self->fd, lfd);

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *opt = &options[i];
		struct query q = { self->fd, opt->name };

		expect_refused(_metadata, &q, err, &opt->hdr, opt->size,
			       BUF_SIZE);
		expect_refused(_metadata, &q, err, &opt->hdr, opt->size, 0);
		EXPECT_EQ(get(&q, NULL, NULL), -err);
	}

	close(lfd);
}

TEST_F(not_connected, unknown_option)
{
	const int unknown[] = { 0, 1000, -1, -2, INT_MIN, INT_MAX };
	const struct mptcp_subflow_data d = HDR(HDR_SIZE, 1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		struct query q = { self->fd, unknown[i] };

		expect_refused(_metadata, &q, EOPNOTSUPP, &d, sizeof(d),
			       BUF_SIZE);
		EXPECT_EQ(get(&q, NULL, NULL), -EOPNOTSUPP);
	}
}

/* What the kernel lacks. NULL if it lacks nothing, or if a test will tell. */
static const char *missing_feature(void)
{
	const struct query q = { socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP),
				 MPTCP_FULL_INFO };
	const char *missing = NULL;

	/* EINVAL: before Linux 5.6, no protocol could have this number. */
	if (q.fd < 0)
		return errno == EPROTONOSUPPORT || errno == EINVAL ? "MPTCP" :
								     NULL;

	/* Later kernels have the option, unless a fault removed it. */
	if (!ksft_min_kernel_version(6, 5) &&
	    get(&q, NULL, NULL) == -EOPNOTSUPP)
		missing = "MPTCP_FULL_INFO";
	close(q.fd);

	return missing;
}

int main(int argc, char **argv)
{
	const char *missing = missing_feature();

	if (missing && !expect_all_features()) {
		ksft_print_header();
		ksft_exit_skip("the kernel lacks %s\n", missing);
	}

	return test_harness_run(argc, argv);
}
