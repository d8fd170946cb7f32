import TestSupport

/// Holds what clients saw, what the engine produced and what the journal accepted against what was recorded.
///
/// The promise: each answer that a client saw complete is recorded with the engine's own counts, once; everything else
/// that was accepted is exactly one visible record that says how it ended.
struct Audit {
    let observations: [Observation]
    let book: [BookLine]
    let records: [StoredRecord]
    /// From the open records of the journal.
    let accepted: [String]
    /// Answers seen complete that no record has.
    private(set) var lost: [String] = []
    /// Requests recorded more than once.
    private(set) var twice: [String] = []
    /// All that is wrong, each with the id of its request.
    private(set) var findings: [String] = []

    /// The findings as a test shows them.
    var firstFindings: [String] { Array(findings.prefix(20)) }

    init(observations: [Observation], book: [BookLine], records: [StoredRecord], accepted: [String]) {
        self.observations = observations
        self.book = book
        self.records = records
        self.accepted = accepted
        let byID = Dictionary(grouping: records, by: \.requestID)
        findUncounted(byID)
        findDuplicates(byID)
        findAnswersThatDiffer(byID)
        findMoreThanSent(byID)
    }

    /// Reads everything that is needed from an installation whose gateway has been drained.
    static func of(_ installation: Installation, _ observations: [Observation]) async throws -> Audit {
        Audit(
            observations: observations, book: try await installation.engine.book(),
            records: try await installation.records(),
            accepted: try JournalFrames.acceptedRequests(in: installation.journalDirectory))
    }

    var completeCount: Int { observations.count(where: \.isComplete) }

    private mutating func findUncounted(_ byID: [String: [StoredRecord]]) {
        let sources: [(String, [String])] = [
            ("the client was answered", observations.compactMap(\.requestID)),
            ("the engine was asked", book.map(\.requestID)), ("the journal accepted it", accepted),
        ]
        for (why, ids) in sources {
            for id in Set(ids).sorted() where byID[id] == nil { findings.append("\(id): no record, yet \(why)") }
        }
        for id in Set(records.map(\.requestID)).subtracting(accepted).sorted() {
            findings.append("\(id): recorded, and the journal has no open record of it")
        }
    }

    private mutating func findDuplicates(_ byID: [String: [StoredRecord]]) {
        for (id, all) in byID.sorted(by: { $0.key < $1.key }) {
            if all.count != 1 { twice.append(id) }
            // Each request is one attempt here: the engine never goes away.
            for record in all where record.attempts.count != 1 {
                findings.append("\(id): \(record.attempts.count) attempts of one request")
            }
        }
        findings += twice.map { "\($0): recorded more than once" }
        for (id, ids) in Dictionary(grouping: accepted, by: \.self) where ids.count > 1 {
            findings.append("\(id): accepted \(ids.count) times")
        }
    }

    private mutating func findAnswersThatDiffer(_ byID: [String: [StoredRecord]]) {
        let lines = Dictionary(grouping: book, by: \.requestID)
        for observation in observations where observation.isComplete {
            guard let id = observation.requestID else {
                findings.append("a complete answer without a request id: \(observation)")
                continue
            }
            guard let record = byID[id]?.first, let attempt = record.attempts.first else {
                lost.append(id)
                continue
            }
            guard let line = lines[id]?.first, lines[id]?.count == 1 else {
                findings.append("\(id): seen complete, and the engine has \(lines[id]?.count ?? 0) lines of it")
                continue
            }
            findings += Self.differences(observation, record, attempt, line).map { "\(id): \($0)" }
        }
    }

    /// An answer cut short costs what the gateway received: at least what its client saw, at most what the engine sent.
    private mutating func findMoreThanSent(_ byID: [String: [StoredRecord]]) {
        for line in book {
            guard let attempt = byID[line.requestID]?.first?.attempts.first, attempt.termination != "complete",
                attempt.outputTokens > line.tokensSent
            else { continue }
            findings.append(
                "\(line.requestID): \(attempt.outputTokens) tokens of a cut answer, the engine sent \(line.tokensSent)")
        }
        for observation in observations where observation.outcome == "left" {
            guard let id = observation.requestID, let record = byID[id]?.first, let attempt = record.attempts.first,
                record.outcome == "client_abort", attempt.outputTokens < observation.textChunks
            else { continue }
            findings.append("\(id): \(attempt.outputTokens) tokens, the client that left saw \(observation.textChunks)")
        }
    }

    private static func differences(
        _ observation: Observation, _ record: StoredRecord, _ attempt: StoredAttempt, _ line: BookLine
    ) -> [String] {
        var found: [String] = []
        func expect(_ isRight: Bool, _ words: @autoclosure () -> String) {
            if !isRight { found.append(words()) }
        }
        expect(
            record.outcome == "success" && attempt.termination == "complete",
            "seen complete, recorded as \(record.outcome), \(attempt.termination)")
        expect(line.outcome == "complete", "seen complete, the engine says \(line.outcome)")
        expect(attempt.usageSource == "engine", "usage comes from '\(attempt.usageSource)', not from the engine")
        expect(attempt.rating == "rated", "seen complete, and its rating is \(attempt.rating)")
        expect(
            attempt.inputTokens == line.promptTokens,
            "\(attempt.inputTokens) input tokens recorded, the engine read \(line.promptTokens)")
        expect(
            attempt.outputTokens == line.tokensProduced,
            "\(attempt.outputTokens) output tokens recorded, the engine made \(line.tokensProduced)")
        if let seen = observation.completionTokens {
            expect(seen == line.tokensProduced, "the client was told of \(seen) tokens, of \(line.tokensProduced)")
        }
        if observation.isStreamed {
            expect(
                observation.textChunks == line.tokensProduced,
                "the client got \(observation.textChunks) tokens of \(line.tokensProduced)")
        }
        return found
    }
}
