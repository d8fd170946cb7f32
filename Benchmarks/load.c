// Load for benchmarks: one thread, epoll, N connections, one request after another on each.
//
//   load PORT KEY MODEL CONNECTIONS SECONDS plain|stream [REQUESTS]
//
// Prints one JSON object: requests, failures, chunks, and in microseconds the 50th and 99th percentile of the time to the
// end of an answer (`total`) and to the first byte of its body (`first`). A connection that the proxy closes counts as a
// failure. With REQUESTS it ends after so many, whatever SECONDS says.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, SAMPLES_MAX = 1 << 21, EVENTS = 512 };

struct connection {
    int descriptor, is_busy;
    uint64_t sent;
    char head[HEAD_MAX + 1];
    size_t head_count;
    int in_body, is_chunked, status, matched;
    long left;  // of the body, or of the chunk
    enum { SIZE, EXTENSION, DATA, DATA_END, LAST } part;
};

static int poller, is_stream;
static char request[4096];
static size_t request_count;
static struct sockaddr_in address;
static long requests, started, failures, chunks, requests_max = -1;
static uint64_t end_at;
static uint32_t totals[SAMPLES_MAX], firsts[SAMPLES_MAX];
static size_t total_count, first_count;

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void sample(uint32_t *samples, size_t *count, uint64_t nanoseconds) {
    if (*count < SAMPLES_MAX) samples[(*count)++] = nanoseconds / 100;
}

static int order(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static double percentile(uint32_t *samples, size_t count, double share) {
    return count ? samples[(size_t)((count - 1) * share)] / 10.0 : 0;
}

static void open_connection(struct connection *it) {
    memset(it, 0, sizeof *it);
    it->descriptor = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    setsockopt(it->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(it->descriptor, (void *)&address, sizeof address)) {
        perror("load: connect");
        exit(1);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = it};
    epoll_ctl(poller, EPOLL_CTL_ADD, it->descriptor, &event);
}

static void begin(struct connection *it) {
    it->is_busy = 0;
    it->head_count = 0;
    it->in_body = it->is_chunked = it->matched = 0;
    if (now_ns() >= end_at || (requests_max >= 0 && started >= requests_max)) return;
    started++;
    it->is_busy = 1;
    it->sent = now_ns();
    if (send(it->descriptor, request, request_count, MSG_NOSIGNAL) != (ssize_t)request_count) {
        perror("load: send");
        exit(1);
    }
}

static void finish(struct connection *it, uint64_t now) {
    if (it->status == 200) {
        requests++;
        sample(totals, &total_count, now - it->sent);
    } else {
        if (!failures) fprintf(stderr, "load: status %d: %.*s\n", it->status, (int)it->head_count, it->head);
        failures++;
    }
    begin(it);
}

static void count_events(struct connection *it, const char *bytes, size_t count) {
    static const char needle[] = "\"content\":";
    for (size_t index = 0; index < count; index++) {
        if (bytes[index] == needle[it->matched]) {
            if (needle[++it->matched] == 0) chunks++, it->matched = 0;
        } else {
            it->matched = bytes[index] == needle[0];
        }
    }
}

// Returns whether the body has ended.
static int read_body(struct connection *it, const char *bytes, size_t count) {
    size_t index = 0;
    while (index < count) {
        if (!it->is_chunked || it->part == DATA) {
            size_t part = count - index < (size_t)it->left ? count - index : (size_t)it->left;
            if (is_stream) count_events(it, bytes + index, part);
            index += part;
            it->left -= part;
            if (!it->left) {
                if (!it->is_chunked) return 1;
                it->part = DATA_END;
            }
            continue;
        }
        char byte = bytes[index++];
        switch (it->part) {
        case SIZE:
        case EXTENSION:
            if (byte == '\n') it->part = it->left ? DATA : LAST;
            else if (byte == '\r' || byte == ';') it->part = EXTENSION;
            else if (it->part == SIZE) it->left = it->left * 16 + (byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
            break;
        case DATA_END:
            if (byte == '\n') it->part = SIZE, it->left = 0;
            break;
        case LAST:
            if (byte == '\n') return 1;
            break;
        case DATA: break;
        }
    }
    return 0;
}

static void read_head(struct connection *it) {
    it->status = atoi(it->head + 9);
    char *length = strcasestr(it->head, "\r\ncontent-length:");
    it->is_chunked = strcasestr(it->head, "\r\ntransfer-encoding: chunked") != NULL;
    it->left = length && !it->is_chunked ? atol(length + 17) : 0;
    it->part = SIZE;
}

static void receive(struct connection *it) {
    static char bytes[65536];
    ssize_t count = recv(it->descriptor, bytes, sizeof bytes, 0);
    uint64_t now = now_ns();
    if (count <= 0) {
        // A connection that waits for nothing may be closed by whoever likes.
        if (it->is_busy && !failures++)
            fprintf(stderr, "load: a connection ended after %.1f s, %d bytes of its answer's head had come: %s\n",
                    (now - it->sent) / 1e9, (int)it->head_count, count < 0 ? strerror(errno) : "closed");
        close(it->descriptor);
        if (now < end_at) open_connection(it), begin(it);
        else it->is_busy = 0;
        return;
    }
    const char *rest = bytes;
    if (!it->in_body) {
        size_t part = (size_t)count < HEAD_MAX - it->head_count ? (size_t)count : HEAD_MAX - it->head_count;
        size_t before = it->head_count;
        memcpy(it->head + before, bytes, part);
        it->head_count += part;
        it->head[it->head_count] = 0;
        char *head_end = strstr(it->head, "\r\n\r\n");
        if (!head_end) return;
        size_t head = head_end + 4 - it->head;
        *(head_end + 2) = 0;
        read_head(it);
        rest = bytes + (head - before);
        count -= head - before;
        it->head_count = head - 2;
        it->in_body = 1;
        if (!it->is_chunked && !it->left) return finish(it, now);
    }
    if (count <= 0) return;
    if (it->in_body == 1) {
        it->in_body = 2;
        sample(firsts, &first_count, now - it->sent);
    }
    if (read_body(it, rest, count)) finish(it, now);
}

int main(int count, char **arguments) {
    if (count < 7) return fprintf(stderr, "usage: load PORT KEY MODEL CONNECTIONS SECONDS plain|stream [REQUESTS]\n"), 2;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    is_stream = !strcmp(arguments[6], "stream");
    if (count > 7) requests_max = atol(arguments[7]);
    char body[1024];
    int length = sprintf(body,
        "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"You keep the gate of a bridge.\"},{\"role\":\"user\","
        "\"content\":\"What does it cost to cross with two horses and a cart?\"}],\"temperature\":0.7%s}", arguments[3],
        is_stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
    request_count = sprintf(request,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nContent-Type: application/json\r\nAccept: */*\r\n"
        "User-Agent: tollgate-load/1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
        arguments[1], arguments[2], length, body);
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(arguments[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    poller = epoll_create1(0);
    int connections = atoi(arguments[4]);
    struct connection *all = calloc(connections, sizeof *all);
    uint64_t start = now_ns();
    end_at = start + (uint64_t)(atof(arguments[5]) * 1e9);
    for (int index = 0; index < connections; index++) open_connection(&all[index]), begin(&all[index]);
    struct epoll_event events[EVENTS];
    // Streams that began late go on for as long as they are; what stalls is given up.
    uint64_t patience = end_at + 180000000000ull;
    for (;;) {
        int busy = 0;
        for (int index = 0; index < connections && !busy; index++) busy = all[index].is_busy;
        if (!busy || now_ns() > patience) break;
        int ready = epoll_wait(poller, events, EVENTS, 200);
        for (int index = 0; index < ready; index++) receive(events[index].data.ptr);
    }
    double seconds = (now_ns() - start) / 1e9;
    qsort(totals, total_count, sizeof *totals, order);
    qsort(firsts, first_count, sizeof *firsts, order);
    printf("{\"requests\":%ld,\"failures\":%ld,\"chunks\":%ld,\"seconds\":%.3f,\"total_p50\":%.1f,\"total_p99\":%.1f,"
           "\"first_p50\":%.1f,\"first_p99\":%.1f}\n", requests, failures, chunks, seconds,
           percentile(totals, total_count, 0.5), percentile(totals, total_count, 0.99),
           percentile(firsts, first_count, 0.5), percentile(firsts, first_count, 0.99));
}
