// An inference engine for benchmarks: one thread, epoll, HTTP/1.1, OpenAI's form. It costs as little as it can, so that
// the proxy in front of it is what is measured.
//
//   engine PORT
//
// GET /set?chunks=200&delay_us=20000  how many content chunks a stream has, and the time between them (0: none)
// GET /health                         200
// POST anything                       a stream when the body says "stream":true, else a plain answer of 600 bytes
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_MAX = 1 << 27, OUTPUT_MAX = 4096, DESCRIPTORS_MAX = 65536, EVENTS = 512 };

struct connection {
    int descriptor;
    char *input;
    size_t input_count, input_room;
    char output[OUTPUT_MAX];  // what the socket did not take
    size_t output_count;
    int chunks_left;  // 0: no stream is running; 1: the end comes next
    uint64_t due;     // when the next chunk goes out
    int position;     // in `streams`; -1: not there
};

static int poller, chunks = 200;
static long delay_us;
static struct connection *streams[DESCRIPTORS_MAX];
static int stream_count;
static char plain[2048], content[512], ending[1024];
static size_t plain_count, content_count, ending_count;

static uint64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static size_t put_chunk(char *target, const char *event) {
    return sprintf(target, "%zx\r\n%s\r\n", strlen(event), event);
}

static void make_answers(void) {
    char body[1024], text[330];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    int count = sprintf(body,
        "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"sim-small\",\"choices\":"
        "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":80,\"total_tokens\":101}}", text);
    plain_count = sprintf(plain,
        "HTTP/1.1 200 OK\r\ndate: Wed, 25 Nov 2026 10:00:00 GMT\r\nserver: bench\r\ncontent-type: application/json\r\n"
        "content-length: %d\r\n\r\n%s", count, body);
    content_count = put_chunk(content,
        "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"sim-small\","
        "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n");
    ending_count = put_chunk(ending,
        "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"sim-small\","
        "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    ending_count += put_chunk(ending + ending_count,
        "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"sim-small\","
        "\"choices\":[],\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":200,\"total_tokens\":221}}\n\n");
    ending_count += put_chunk(ending + ending_count, "data: [DONE]\n\n");
    ending_count += sprintf(ending + ending_count, "0\r\n\r\n");
}

static void watch(struct connection *it, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = it};
    epoll_ctl(poller, EPOLL_CTL_MOD, it->descriptor, &event);
}

static void leave_streams(struct connection *it) {
    if (it->position < 0) return;
    streams[it->position] = streams[--stream_count];
    streams[it->position]->position = it->position;
    it->position = -1;
}

static void end(struct connection *it) {
    leave_streams(it);
    close(it->descriptor);
    free(it->input);
    it->descriptor = -1;
    free(it);
}

// False when the connection has ended.
static int put(struct connection *it, const char *bytes, size_t count) {
    ssize_t sent = send(it->descriptor, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return end(it), 0;
    size_t rest = count - (sent < 0 ? 0 : sent);
    if (rest) {
        memcpy(it->output, bytes + count - rest, rest);
        it->output_count = rest;
        watch(it, EPOLLIN | EPOLLOUT);
    }
    return 1;
}

static int stream_on(struct connection *it, uint64_t now) {
    if (it->output_count || it->due > now) return 1;
    it->due += delay_us;
    if (--it->chunks_left > 0) return put(it, content, content_count);
    leave_streams(it);
    return put(it, ending, ending_count);
}

static void set(const char *query) {
    const char *found;
    if ((found = strstr(query, "chunks="))) chunks = atoi(found + 7);
    if ((found = strstr(query, "delay_us="))) delay_us = atol(found + 9);
}

// Answers the request at the start of the input and says how long it was; 0 when it is not whole, -1 when the connection
// has ended.
static long answer(struct connection *it) {
    char *head_end = memmem(it->input, it->input_count, "\r\n\r\n", 4);
    if (!head_end) return 0;
    *head_end = 0;
    char *field = strcasestr(it->input, "\r\ncontent-length:");
    long body = field ? atol(field + 17) : 0;
    *head_end = '\r';
    size_t whole = head_end + 4 - it->input + body;
    if (it->input_count < whole) return 0;
    if (memcmp(it->input, "POST", 4)) {
        if (!memcmp(it->input, "GET /set?", 9)) set(it->input + 9);
        return put(it, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 40) ? (long)whole : -1;
    }
    if (!memmem(head_end + 4, body, "\"stream\":true", 13)) return put(it, plain, plain_count) ? (long)whole : -1;
    it->chunks_left = chunks + 1;
    it->due = now_us() + delay_us;
    it->position = stream_count;
    streams[stream_count++] = it;
    static const char head[] = "HTTP/1.1 200 OK\r\nserver: bench\r\ncontent-type: text/event-stream\r\n"
                               "transfer-encoding: chunked\r\n\r\n";
    return put(it, head, sizeof head - 1) ? (long)whole : -1;
}

static void receive(struct connection *it) {
    if (it->input_room - it->input_count < 4096) {
        it->input_room = it->input_room ? it->input_room * 2 : 8192;
        if (it->input_room > INPUT_MAX || !(it->input = realloc(it->input, it->input_room))) return end(it);
    }
    ssize_t count = recv(it->descriptor, it->input + it->input_count, it->input_room - it->input_count - 1, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return end(it);
    it->input_count += count;
    it->input[it->input_count] = 0;
    long used;
    while (it->input_count && (used = answer(it))) {
        if (used < 0) return;
        it->input_count -= used;
        memmove(it->input, it->input + used, it->input_count);
    }
}

static void flush(struct connection *it) {
    ssize_t sent = send(it->descriptor, it->output, it->output_count, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? (void)0 : end(it);
    it->output_count -= sent;
    memmove(it->output, it->output + sent, it->output_count);
    if (!it->output_count) watch(it, EPOLLIN);
}

static void accept_all(int listener) {
    for (;;) {
        int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (descriptor < 0) return;
        int one = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *it = calloc(1, sizeof *it);
        it->descriptor = descriptor;
        it->position = -1;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = it};
        epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
    }
}

int main(int count, char **arguments) {
    if (count != 2) return fprintf(stderr, "usage: engine PORT\n"), 2;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    make_answers();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) return perror("engine"), 1;
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int wait_ms = !stream_count ? -1 : delay_us ? 1 : 0;
        int ready = epoll_wait(poller, events, EVENTS, wait_ms);
        for (int index = 0; index < ready; index++) {
            struct connection *it = events[index].data.ptr;
            if (!it) accept_all(listener);
            else if (events[index].events & EPOLLOUT) flush(it);
            else receive(it);
        }
        uint64_t now = now_us();
        // From the last to the first: a stream that ends puts the last one in its place.
        for (int index = stream_count - 1; index >= 0; index--)
            if (index < stream_count) stream_on(streams[index], now);
    }
}
