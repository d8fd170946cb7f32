import Glibc

/// Waits until one of the descriptors can be read or is closed. Returns which; empty after the timeout or a signal.
func pollReadable(_ descriptors: [Int32], timeoutMilliseconds: Int32) -> Set<Int32> {
    var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    guard poll(&entries, nfds_t(entries.count), timeoutMilliseconds) > 0 else { return [] }
    return Set(entries.filter { $0.revents != 0 }.map(\.fd))
}

/// On an idle connection nothing should arrive: input means that the server said goodbye or closed.
func hasUnexpectedInput(_ socket: Int32) -> Bool {
    socket < 0 || !pollReadable([socket], timeoutMilliseconds: 0).isEmpty
}
