import Engines
import Identity
import Metering

/// A batch as its upstream shows it.
struct UpstreamBatch {
    let place: ObjectSeal.Place
    let object: JSONObjectText
    let inputFile: String
    /// Nil for batches that no gateway of this installation created.
    let owner: BatchOwner?

    /// Nil where the document is no batch.
    init?(_ document: [UInt8], on backend: String, by seal: ObjectSeal) {
        guard let object = try? JSONObjectText(reading: document), let id = object.text("id"), !id.isEmpty else {
            return nil
        }
        self.object = object
        place = ObjectSeal.Place(backend: backend, id: id)
        inputFile = object.text("input_file_id") ?? ""
        owner = object.object("metadata")?.text(BatchOwner.metadataKey).flatMap {
            BatchOwner(value: $0, file: object.text("input_file_id") ?? "", on: backend, by: seal)
        }
    }

    // MARK: Its state

    /// In lower case, and in OpenAI's spelling where it has the word.
    var status: String {
        let word = (object.text("status") ?? "").lowercased().replacing("-", with: "_").replacing(" ", with: "_")
        return UpstreamBatch.spellings[word] ?? word
    }

    /// Whether nothing of it is served any more, whatever became of it. A word that nobody knows says so only beside
    /// answers, and where nothing is left to be served.
    var hasEnded: Bool {
        let status = status
        if UpstreamBatch.successes.contains(status) || UpstreamBatch.otherEndings.contains(status) { return true }
        return !UpstreamBatch.running.contains(status) && !answerFiles.isEmpty && counts?.isAllDone ?? true
    }

    /// Whether it says that it was worked through to its end, so that there must be something.
    var hasSucceeded: Bool { UpstreamBatch.successes.contains(status) }

    private static let spellings = ["canceled": "cancelled", "canceling": "cancelling", "inprogress": "in_progress"]
    private static let successes: Set<String> = [
        "completed", "complete", "succeeded", "success", "ended", "done", "finished",
    ]
    private static let otherEndings: Set<String> = [
        "failed", "expired", "cancelled", "error", "errored", "aborted", "timeout_exceeded",
    ]
    private static let running: Set<String> = [
        "validating", "in_progress", "finalizing", "cancelling", "cancellation_requested", "queued", "pending",
        "running",
        "processing", "created", "submitted", "scheduled", "starting", "started", "not_started", "uploading", "paused",
    ]

    /// What it says of its lines; nil where it says nothing.
    var counts: BatchCounts? { object.object("request_counts").flatMap { BatchCounts($0) } }

    // MARK: Its files

    /// The files that its answers are in: first those that were served, then those that were not.
    var answerFiles: [String] { outputFiles + files(UpstreamBatch.errorMembers) }

    /// Those with lines that were served.
    var outputFiles: [String] { files(UpstreamBatch.outputMembers) }

    private static let outputMembers = ["output_file_id", "output_file", "output_file_ids"]
    private static let errorMembers = ["error_file_id", "error_file", "error_file_ids"]

    private func files(_ members: [String]) -> [String] {
        var files: [String] = []
        for id in members.flatMap({ ids($0) }) where !id.isEmpty && !files.contains(id) { files.append(id) }
        return Array(files.prefix(UpstreamBatch.filesMax))
    }

    /// Of one kind; systems give a batch one.
    private static let filesMax = 64

    /// A member that is an id, or a list of them.
    private func ids(_ member: String) -> [String] {
        object.text(member).map { [$0] } ?? object.texts(member)
    }

    /// In seconds since 1970; 0 where it does not say.
    var createdSeconds: Int64 { object.integer("created_at") ?? 0 }

    // MARK: Its client

    /// Members that a client sees. Whatever else a system writes may be another way to the answers, or about the
    /// account that all tenants share.
    private static let shownMembers: Set<String> = [
        "id", "object", "endpoint", "model", "errors", "input_file_id", "completion_window", "status", "created_at",
        "expires_at", "finalizing_at", "in_progress_at", "cancelling_at", "request_counts", "usage", "metadata",
    ]
    /// Those that say when it ended.
    private static let endMembers = ["completed_at", "failed_at", "expired_at", "cancelled_at"]

    /// The document as the project's clients see it. Until its lines are on record (`isSettled` false) it is not at its
    /// end, and whatever its status is called it has no files: until then nobody can have its answers.
    func shown(to project: ProjectID, isSettled: Bool, by seal: ObjectSeal) -> [UInt8] {
        func sealed(_ id: String, _ kind: ObjectSeal.Kind) -> [UInt8] {
            let place = ObjectSeal.Place(backend: place.backend, id: id)
            return JSONString.bytes(of: seal.sealed(place, kind, for: project))
        }
        let null = Array("null".utf8)
        let answers = UpstreamBatch.outputMembers + UpstreamBatch.errorMembers
        var changes: [(key: String, value: [UInt8]?)] = [("id", sealed(place.id, .batch))]
        if !inputFile.isEmpty { changes.append(("input_file_id", sealed(inputFile, .file))) }
        if object.text("model") != nil, let owner { changes.append(("model", JSONString.bytes(of: owner.model))) }
        if let metadata = object.object("metadata") {
            let own = metadata.changed([(BatchOwner.metadataKey, nil)])
            // Where the client gave none, it sees none.
            changes.append(("metadata", own.count == 2 ? null : own))
        }
        for key in object.keys {
            if answers.contains(key) {
                let ids = isSettled ? ids(key).filter { !$0.isEmpty }.map { sealed($0, .file) } : []
                let isList = object.elements(key) != nil
                let list = [UInt8(ascii: "[")] + ids.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
                changes.append((key, isList ? list : ids.first ?? null))
            } else if UpstreamBatch.endMembers.contains(key) {
                if !isSettled { changes.append((key, null)) }
            } else if !UpstreamBatch.shownMembers.contains(key) {
                changes.append((key, nil))
            }
        }
        if !isSettled, hasEnded {
            changes.append(("status", JSONString.bytes(of: status == "cancelled" ? "cancelling" : "finalizing")))
        }
        return object.changed(changes)
    }
}

/// How many lines of a batch were worked through, by its own word.
struct BatchCounts: Hashable {
    let total: Int64
    let completed: Int64
    let failed: Int64

    /// Nil where no line is counted: some systems write zeros until they know.
    init?(_ object: JSONObjectText) {
        func count(_ names: String...) -> Int64 {
            names.lazy.compactMap { object.integer($0) }.first.map { min(max(0, $0), BatchCounts.linesMax) } ?? 0
        }
        completed = count("completed", "succeeded", "success")
        failed = count("failed", "errored", "errors")
        total = count("total")
        if completed == 0, failed == 0, total == 0 { return nil }
    }

    private static let linesMax: Int64 = 1 << 40

    /// Whether no line is left to be served.
    var isAllDone: Bool { completed + failed >= total }
}
