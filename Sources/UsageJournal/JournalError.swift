import Glibc

/// What can go wrong with a journal, in words that say what to do.
public enum JournalError: Error, Hashable, Sendable {
    /// Another process has the directory open.
    case locked(directory: String, holder: String)
    /// Another process takes the journal in the directory into the database.
    case ingested(directory: String, by: String)
    /// The configuration cannot work.
    case invalidConfiguration(String)
    /// Something that the journal cannot do without is unreadable.
    case damaged(String)
    /// Written by a newer Tollgate.
    case unsupportedVersion(String)
    /// The disk cannot take another request, or as many run as segments can be allocated for: refuse it with 503.
    /// Running requests can still close.
    case full
    /// The record does not fit into a frame.
    case recordTooLarge(bytes: Int)
    /// A write or a sync failed, now or earlier; final for this process.
    case failed(String)
    /// The journal was closed.
    case closed
    /// A call of the operating system failed while opening or reading.
    case system(call: String, path: String, code: Int32)
}

extension JournalError {
    /// A failed call outside the writer, where it is not final for the process.
    init(_ fault: FileFault) {
        self = .system(call: fault.call, path: fault.path, code: fault.code)
    }
}

extension JournalError {
    /// Whether the same may succeed a little later: the process, or the machine, had no descriptor or memory left.
    public var isPassing: Bool {
        guard case .system(_, _, let code) = self else { return false }
        return [EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR].contains(code)
    }
}

extension JournalError {
    /// Whether what was to be opened is not there.
    public var isOfMissingFile: Bool {
        if case .system(_, _, ENOENT) = self { true } else { false }
    }
}

extension JournalError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .locked(let directory, let holder):
            "the journal in \(directory) is open in another process (\(holder)); "
                + "stop that one, or give this one a directory of its own"
        case .ingested(let directory, let holder):
            "the journal in \(directory) is ingested by another process (\(holder)): stop that one, or set "
                + "gateway.ingest to apart for its gateway"
        case .invalidConfiguration(let text): "the journal's configuration cannot work: \(text)"
        case .damaged(let text): "the journal is damaged: \(text)"
        case .unsupportedVersion(let text): "the journal was written by a newer version: \(text); start that version"
        case .full:
            "the journal has no room for another request: its disk is full, or more requests run than its "
                + "segments can keep room for; running requests are unharmed"
        case .recordTooLarge(let bytes): "a journal record of \(bytes) bytes is larger than a frame can be"
        case .failed(let text): "the journal failed and this process must end: \(text)"
        case .closed: "the journal is closed"
        case .system(let call, let path, let code): "\(call) of \(path) failed: \(describe(errorCode: code))"
        }
    }
}
