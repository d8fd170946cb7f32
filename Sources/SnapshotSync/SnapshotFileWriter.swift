import Accounts
import Dispatch
import Glibc
import Identity
import Logging
import Storage
import Synchronization

/// Keeps the snapshot's file current, on a thread of its own: nobody waits for the disk.
///
/// A load writes the file anew; a difference is appended to it, until what was appended is a quarter of the rest.
final class SnapshotFileWriter: Sendable {
    /// Work that waits for a slow disk; beyond it the file is written anew instead.
    static let waitingMax = 64
    /// Appended bytes that do not make a new file worth while.
    static let appendedBytesMin = 1 << 20
    /// Rows in a frame.
    private static let partRowsMax = 4096

    private struct State {
        var descriptor: Int32 = -1
        var chain = SnapshotFrame.firstChain
        var wholeBytes = 0
        var appendedBytes = 0
        var change: Int64 = 0
    }

    private let path: String
    private let keyring: @Sendable () -> SecretKeyring?
    private let logger: Logger
    private let queue = DispatchQueue(label: "tollgate.snapshot-file")
    private let state = Mutex(State())
    private let waiting = Atomic<Int>(0)
    private let wantsWhole = Atomic<Bool>(true)

    /// `keyring` encrypts credentials that are in clear in the database; without one they are left out.
    init(path: String, keyring: @escaping @Sendable () -> SecretKeyring? = { nil }, logger: Logger) {
        self.path = path
        self.keyring = keyring
        self.logger = logger
    }

    deinit {
        let descriptor = state.withLock { $0.descriptor }
        if descriptor >= 0 { close(descriptor) }
    }

    /// Whether the file must be written anew: there is none yet, it failed, or it has grown.
    var isWholeWanted: Bool { wantsWhole.load(ordering: .acquiring) }

    /// Writes the file anew. After a crash either the old or the new one is there, whole.
    func write(_ whole: SnapshotState, now: Timestamp) {
        wantsWhole.store(false, ordering: .releasing)
        enqueue { try self.writeWhole(whole, now, &$0) }
    }

    /// Appends what changed.
    func append(_ part: SnapshotPart, change: Int64, now: Timestamp) {
        guard mayAppend else { return }
        enqueue { state in
            state.change = change
            let payload = try self.payload(of: part)
            try self.append(SnapshotFrame(kind: .difference, time: now.milliseconds, change: change), payload, &state)
        }
    }

    /// Says that the file is current at this time.
    func touch(now: Timestamp) {
        guard mayAppend else { return }
        enqueue { state in
            let frame = SnapshotFrame(kind: .current, time: now.milliseconds, change: state.change)
            try self.append(frame, [], &state)
        }
    }

    /// Waits until all of this is on disk.
    func flush() async {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume() }
        }
    }

    /// Once something was not appended, nothing after it may be.
    private var mayAppend: Bool {
        guard !isWholeWanted else { return false }
        guard waiting.load(ordering: .relaxed) < Self.waitingMax else {
            wantsWhole.store(true, ordering: .releasing)
            return false
        }
        return true
    }

    private func enqueue(_ work: @escaping @Sendable (inout State) throws -> Void) {
        waiting.add(1, ordering: .relaxed)
        queue.async {
            defer { self.waiting.subtract(1, ordering: .relaxed) }
            do {
                try self.state.withLock { try work(&$0) }
            } catch {
                self.wantsWhole.store(true, ordering: .releasing)
                self.logger.error("the copy of the snapshot cannot be written", metadata: ["error": "\(error)"])
            }
        }
    }

    private func append(_ frame: SnapshotFrame, _ payload: [UInt8], _ state: inout State) throws {
        // What was waiting when the file failed belongs to no file.
        guard state.descriptor >= 0, !isWholeWanted else { return }
        let bytes = frame.bytes(payload: payload, chain: &state.chain)
        do {
            try writeAll(bytes, to: state.descriptor)
            guard fdatasync(state.descriptor) == 0 else { throw systemError("fdatasync", path) }
        } catch {
            close(state.descriptor)
            state.descriptor = -1
            throw error
        }
        state.appendedBytes += bytes.count
        if state.appendedBytes > max(Self.appendedBytesMin, state.wholeBytes / 4) {
            wantsWhole.store(true, ordering: .releasing)
        }
    }

    // MARK: The whole

    private func writeWhole(_ whole: SnapshotState, _ now: Timestamp, _ state: inout State) throws {
        if state.descriptor >= 0 { close(state.descriptor) }
        state = State()
        let temporary = path + ".tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw systemError("open", temporary) }
        do {
            try writeFrames(of: whole, now, to: descriptor, &state)
            guard fsync(descriptor) == 0 else { throw systemError("fsync", temporary) }
            guard rename(temporary, path) == 0 else { throw systemError("rename", path) }
        } catch {
            close(descriptor)
            throw error
        }
        state.descriptor = descriptor
        state.change = whole.mark.number
    }

    private func writeFrames(
        of whole: SnapshotState, _ now: Timestamp, to descriptor: Int32, _ state: inout State
    ) throws {
        let change = whole.mark.number
        func write(_ kind: SnapshotFrame.Kind, _ payload: [UInt8]) throws {
            let frame = SnapshotFrame(kind: kind, time: now.milliseconds, change: change)
            let bytes = frame.bytes(payload: payload, chain: &state.chain)
            try writeAll(bytes, to: descriptor)
            state.wholeBytes += bytes.count
        }
        try writeAll(Array(SnapshotFrame.magic.utf8), to: descriptor)
        try whole.forEachPart(rowsMax: Self.partRowsMax) { part in
            try write(.part, try payload(of: part))
        }
        try write(.whole, [])
    }

    private func payload(of part: SnapshotPart) throws -> [UInt8] {
        guard part.models != nil || part.sealingSecret != nil else { return try SnapshotPartCoding.bytes(of: part) }
        let keyring = keyring()
        return try SnapshotPartCoding.bytes(of: part.protected(by: keyring), sealedBy: keyring)
    }

    private func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws {
        try bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw systemError("write", path) }
                rest = rest.dropFirst(count)
            }
        }
    }

    private func systemError(_ call: String, _ path: String) -> SnapshotFileError {
        .system(call: call, path: path, code: errno)
    }
}

extension SnapshotState {
    /// Everything inside as parts of at most so many rows, in an order in which they can be applied.
    func forEachPart(rowsMax: Int, _ body: (SnapshotPart) throws -> Void) throws {
        var part = SnapshotPart()
        var rows = 0
        func count() throws {
            rows += 1
            guard rows >= rowsMax else { return }
            try body(part)
            part = SnapshotPart()
            rows = 0
        }
        part.histories = histories
        part.models = models
        part.secrets = secrets
        part.sealingSecret = sealingSecret
        try keys.forEachClock { clock in
            part.clocks.append(clock)
            try count()
        }
        try keys.forEachKey { key in
            part.keys.append(key)
            try count()
        }
        try keys.forEachSubscription { subscription, _ in
            part.subscriptions.append(subscription)
            try count()
        }
        part.limits = Array(limits.values)
        try body(part)
    }
}
