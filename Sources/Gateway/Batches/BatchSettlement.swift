import Engines
import HTTP1
import Identity
import Metering
import NIOCore
import Telemetry

/// Reads the files of one batch that has ended, and writes its records. Confined to its event loop.
final class BatchSettlement {
    private let loop: LoopContext
    private let backend: Backend
    private let records: BatchLineRecord
    private let batch: UpstreamBatch
    private var files: [String]
    private let inputFile: String
    /// What the lines asked for, by `custom_id`; nil until an answer has shown that it is needed.
    private var sizes: [String: BatchLineSize]?
    private var isReadingInput = false
    private let answerFiles: [String]
    private var whenDone: ((Bool) -> Void)?

    private var file = ""
    private var call: RunningCall?
    /// What has come and is not read yet: less than a line, or what came while records were written.
    private var unread = ByteBuffer()
    /// Bytes of `unread` that are known to have no end of a line.
    private var scanned = 0
    private var lineNumber = 0
    private var group: [UsageEntry] = []
    private var isWriting = false
    private var hasFileEnded = false
    /// Lines of the files that were served, each once, and those that were not.
    private var served: Set<RequestID> = []
    private var failedCount: Int64 = 0
    /// Whether a file of answers is gone.
    private var hasLostOutput = false

    /// Records that are written together; the file is read on when they are durable.
    private static let groupMax = 64
    /// The longest line: pictures inside an answer are the largest.
    private static let lineBytesMax = 64 << 20
    /// Between two parts of a file.
    private static let pauseMilliseconds: Int64 = 60_000

    init(_ batch: UpstreamBatch, of records: BatchLineRecord, loop: LoopContext, whenDone: @escaping (Bool) -> Void) {
        self.loop = loop
        self.records = records
        backend = records.backend
        self.batch = batch
        files = batch.answerFiles
        answerFiles = batch.answerFiles
        inputFile = batch.inputFile
        self.whenDone = whenDone
    }

    func start() { nextFile() }

    /// The gateway stops: whoever runs next does it again.
    func stop() { done(false) }

    private func done(_ isSettled: Bool) {
        guard let whenDone else { return }
        self.whenDone = nil
        call?.abandon()
        call = nil
        whenDone(isSettled)
    }

    // MARK: Reading

    private func nextFile() {
        guard whenDone != nil else { return }
        guard !files.isEmpty else { return writeLast() }
        read(files.removeFirst(), isInput: false)
    }

    /// An answer says nothing of its input: the file that was handed in is read for it, and the answers once more from
    /// the beginning. What was written of them already is written again as it was.
    private func readInputFirst() {
        call?.abandon()
        group.removeAll(keepingCapacity: true)
        served.removeAll()
        failedCount = 0
        sizes = [:]
        files = answerFiles
        read(inputFile, isInput: true)
    }

    private func read(_ name: String, isInput: Bool) {
        file = name
        isReadingInput = isInput
        lineNumber = 0
        unread = ByteBuffer()
        scanned = 0
        hasFileEnded = false
        let target = backend.target(
            of: .files, method: "GET", rest: "/" + PercentEncoding.encoded(file) + "/content", query: "")
        var question = EngineCall.Question(
            backend: backend, path: target.requestTarget,
            headers: backend.dialect.headers(for: target, backend: backend, content: .unsigned),
            answerMilliseconds: BatchSettlement.pauseMilliseconds)
        question.isTimeBetweenParts = true
        call = EngineCall.begin(question, tls: loop.shared.upstreamTLS, on: loop.eventLoop) { [weak self] part in
            self?.received(part)
        }
    }

    private func received(_ part: EngineCall.Part) {
        switch part {
        case .head(let head):
            if head.status == 200 { return }
            warn("the file of a batch cannot be had", head.status)
            // Nothing will bring a file back that is gone: its lines are lost, and that is said, once.
            guard head.status == 404 || head.status == 410 else { return done(false) }
            if !isReadingInput {
                loop.shared.registry.counter(
                    "tollgate_batch_files_lost_total", help: "Batch output files deleted before they were metered."
                ).increment()
                if batch.outputFiles.contains(file) { hasLostOutput = true }
            }
            call?.abandon()
            nextFile()
        case .body(let bytes):
            unread.writeImmutableBuffer(bytes)
            takeLines()
        case .end:
            call = nil
            hasFileEnded = true
            takeLines()
        case .lost:
            warn("the file of a batch broke off", lineNumber)
            done(false)
        }
    }

    /// Takes whole lines, until a group is full or none is left.
    private func takeLines() {
        while !isWriting, whenDone != nil {
            if group.count >= BatchSettlement.groupMax { return write() }
            guard let line = nextLine() else { break }
            take(line)
        }
        guard !isWriting, whenDone != nil, hasFileEnded else { return }
        if group.isEmpty { nextFile() } else { write() }
    }

    private func nextLine() -> ByteBuffer? {
        let found = unread.withUnsafeReadableBytes { bytes in
            bytes[min(scanned, bytes.count)...].firstIndex(of: 0x0A)
        }
        if let found {
            scanned = 0
            let line = unread.readSlice(length: found)
            unread.moveReaderIndex(forwardBy: 1)
            return line
        }
        scanned = unread.readableBytes
        guard hasFileEnded, unread.readableBytes > 0 else {
            if unread.readableBytes > BatchSettlement.lineBytesMax {
                warn("a line of a batch's file is too long to be read", lineNumber + 1)
                done(false)
            }
            unread.discardReadBytes()
            scanned = unread.readableBytes
            return nil
        }
        scanned = 0
        return unread.readSlice(length: unread.readableBytes)
    }

    private func take(_ line: ByteBuffer) {
        lineNumber += 1
        let loop = loop
        if isReadingInput {
            if let (id, size) = line.withUnsafeReadableBytes({ BatchLineSize.read($0) }) { sizes?[id] = size }
            return
        }
        let entry = line.withUnsafeReadableBytes { bytes -> UsageEntry? in
            guard bytes.contains(where: { $0 > 0x20 }) else { return nil }
            let entry = records.entry(
                of: bytes, file: file, number: lineNumber, size: { sizes?[$0] }, priceKey: { loop.priceKey(of: $0) })
            if entry == nil { failedCount += 1 }
            return entry
        }
        guard var entry else { return }
        let lacksInput = entry.attempts.contains { $0.usageSource != .nothing && $0.buckets.inputTotal == 0 }
        if lacksInput || entry.attempts.count > 1, sizes == nil, !inputFile.isEmpty { return readInputFirst() }
        // Pictures are counted by themselves.
        if lacksInput, entry.attempts[0].usageSource == .estimated, records.owner.surface != .imageGenerations {
            entry.attempts[0].contradiction =
                entry.attempts[0].contradiction ?? "neither the answer nor the file that was handed in has its input"
        }
        if entry.request.outcome == .success { served.insert(entry.request.id) } else { failedCount += 1 }
        group.append(entry)
    }

    /// Why lines that were served are missing; nil where all of them were found, as far as the engine says.
    private func reasonOfMissing() -> String? {
        guard let counts = batch.counts else {
            if hasLostOutput { return "an output file of the batch is gone, and nobody says how many lines it had" }
            let isEmpty = batch.hasSucceeded && answerFiles.isEmpty
            return isEmpty ? "the batch ended as \(batch.status) and names no file" : nil
        }
        // Some count a line that failed among those that were worked through.
        let found = Int64(served.count) + max(0, failedCount - counts.failed)
        guard found < counts.completed else { return nil }
        return "the engine served \(counts.completed) lines of the batch, and its files have \(found)"
    }

    // MARK: Writing

    private func write() {
        let entries = group
        group.removeAll(keepingCapacity: true)
        write(entries) { $0.takeLines() }
    }

    /// Once this record is there, nobody reads the batch's files again.
    private func writeLast() {
        let missing = reasonOfMissing().map { [records.unaccounted($0)] } ?? []
        write(missing + [records.ofBatch(reason: batch.hasSucceeded ? "" : "batch_" + batch.status)]) { $0.done(true) }
    }

    /// Goes on once the records are durable. The journal writes in order, so the last one's word is that of all.
    private func write(_ entries: [UsageEntry], then: @escaping (BatchSettlement) -> Void) {
        isWriting = true
        call?.setReading(false)
        let bound = NIOLoopBound((self, then), eventLoop: loop.eventLoop)
        let eventLoop = loop.eventLoop
        do {
            for (index, entry) in entries.enumerated() {
                let isLast = index == entries.count - 1
                try loop.shared.journal.append(entry, moreFollow: !isLast) { isDurable in
                    guard isLast else { return }
                    eventLoop.execute {
                        let (settlement, then) = bound.value
                        settlement.isWriting = false
                        guard isDurable else { return settlement.done(false) }
                        settlement.call?.setReading(true)
                        then(settlement)
                    }
                }
            }
        } catch {
            isWriting = false
            loop.warnOfJournal(error)
            done(false)
        }
    }

    /// `detail`: a status, or the number of a line.
    private func warn(_ message: String, _ detail: Int) {
        loop.shared.log.warning(
            message,
            [
                "request_id": "\(records.owner.requestID)", "batch": "\(records.batchID)", "file": "\(file)",
                "backend": "\(backend.name)", "detail": .integer(Int64(detail)),
            ])
    }
}
