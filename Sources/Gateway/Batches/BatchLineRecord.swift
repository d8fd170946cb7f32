import Engines
import Identity
import Metering

/// Makes the records of a batch: one for each line that was served, and one of the batch itself.
///
/// Their ids are a function of who created the batch, the upstream's id of it and the line's `custom_id`, so whoever
/// reads the batch's files, however often, writes the same records, and the database keeps one of each.
struct BatchLineRecord {
    let owner: BatchOwner
    let backend: Backend
    let batchID: String
    /// The batch's id as the client knows it: a tag of its records.
    let sealedID: String

    /// The record of a line of the batch's files; nil where nothing was served that costs anything.
    ///
    /// - Parameters:
    ///   - number: of the line in its file, from 1 on, for lines that cannot be read.
    ///   - size: of the request with this `custom_id`, for answers without usage; nil while the file that was handed in
    ///     has not been read.
    func entry(
        of line: UnsafeRawBufferPointer, file: String, number: Int, size: (_ customID: String) -> BatchLineSize?,
        priceKey: (_ model: String) -> String?
    ) -> UsageEntry? {
        let read: BatchOutputLine
        do throws(JSONScanError) {
            read = try BatchOutputLine(reading: line)
        } catch {
            return unreadable(file: file, number: number, error)
        }
        let isRefused = !(200..<300).contains(read.status)
        // What the model wrote before it failed is handed over with the error, and is no answer's text.
        let generated = isRefused ? FailedGeneration.bytes(in: line) : 0
        guard !read.body.isEmpty || generated > 0, var request else {
            guard !read.hasError, !isRefused || read.status == 0 else { return nil }
            return unmeasured(
                "line \(number) of the batch's file \(file) has neither an answer nor an error", file, number)
        }
        if let size = size(read.customID) { request.take(size) }
        let meter = AnswerMeter(
            request: request, backend: backend, status: 200, headers: JSONHead(), upstreamModel: owner.upstreamModel)
        meter.read(piece: UnsafeRawBufferPointer(rebasing: line[read.body]))
        meter.finish()
        var facts = meter.facts
        facts.takeGenerated(bytes: generated)
        let isFailure = meter.isErrorInPlaceOfAnswer
        let isAnswer = !isRefused && !isFailure
        // An answer in a form that nobody knows: its prompt alone is not what it costs.
        guard !isAnswer || facts.isMeasurable else {
            return unmeasured(
                "line \(number) of the batch's file \(file) holds nothing that can be measured", file, number)
        }
        // A failure costs what of an answer came with it, and nothing where none did.
        guard isAnswer || facts.usage != nil || generated > 0, !isFailure || facts.textBytes > 0 || facts.items > 0
        else { return nil }
        var entry = record(of: "line", read.customID)
        entry.request.httpStatus = Int32(read.status)
        if !isAnswer {
            let isClients =
                isFailure
                ? EngineRefusal(kind: backend.kind, insideAnswer: facts).isClients
                : (400..<500).contains(read.status)
            entry.request.outcome = isClients ? .clientError : .providerError
            entry.request.reason = "batch_line_failed"
        }
        var base = entry.attempts[0]
        base.termination = .complete
        base.upstreamStatus = Int32(read.status)
        var inner = 0
        entry.attempts = facts.attempts(
            completing: base, request: request, isCut: false, priceKey: priceKey,
            newID: {
                inner += 1
                return AttemptID(ids(of: "inner", read.customID + "\n\(inner)").attempt)
            })
        entry.attempts = Array(entry.attempts.prefix(UsageEntry.attemptsMax))
        for index in entry.attempts.indices {
            entry.attempts[index].kind = .batchItem
            entry.attempts[index].isBatch = true
        }
        return entry
    }

    /// The record of the batch itself, without usage: once it is there, all its lines are.
    func ofBatch(reason: String) -> UsageEntry {
        var request = request(RequestID(owner.requestID.uuid))
        request.reason = reason
        request.marks.end = 0
        return UsageEntry(request: request, attempts: [])
    }

    /// What cannot be read waits in suspense: it may have been served, and someone must look.
    private func unreadable(file: String, number: Int, _ error: JSONScanError) -> UsageEntry {
        unmeasured("line \(number) of the batch's file \(file) cannot be read: \(error.problem.rawValue)", file, number)
    }

    /// What of the batch nobody can measure, and why.
    private func unmeasured(_ why: String, _ file: String, _ number: Int) -> UsageEntry {
        var entry = record(of: "unreadable", "\(file)\n\(number)")
        entry.attempts[0].termination = .complete
        entry.attempts[0].usageSource = .engine
        entry.attempts[0].contradiction = why
        return entry
    }

    /// Lines that were served, by the engine's word, and that none of the batch's files has: they wait in suspense.
    func unaccounted(_ why: String) -> UsageEntry { unmeasured(why, "", 0) }

    private func record(of kind: String, _ name: String) -> UsageEntry {
        let ids = ids(of: kind, name)
        var attempt = AttemptRecord(
            id: AttemptID(ids.attempt), backend: backend.name, upstreamModel: owner.upstreamModel,
            priceKey: owner.priceKey, hardware: backend.hardware, quantisation: backend.quantisation)
        attempt.region = backend.settings.region
        attempt.kind = .batchItem
        attempt.isBatch = true
        return UsageEntry(request: request(RequestID(ids.request)), attempts: [attempt])
    }

    private func request(_ id: RequestID) -> RequestRecord {
        RequestRecord(
            id: id, accountID: owner.accountID, tenantID: owner.tenantID, projectID: owner.projectID,
            keyID: owner.keyID, subscriptionID: owner.subscriptionID, surface: .batches,
            modelRequested: owner.model,
            tags: [Tag(name: "batch_id", value: String(sealedID.prefix(Tag.valueBytesMax)))],
            clockOffsetMilliseconds: owner.clockOffsetMilliseconds)
    }

    /// With the millisecond of the batch's acceptance, so that its lines are priced by what was in force then.
    private func ids(of kind: String, _ name: String) -> (request: UUIDv7, attempt: UUIDv7) {
        let milliseconds = owner.requestID.uuid.timestamp.milliseconds
        let text = "batch \(kind)\n\(owner.requestID)\n\(backend.name)\n\(batchID)\n\(name)"
        let words = SHA256Digest(of: text).words
        return (
            UUIDv7(milliseconds: milliseconds, randomness: (words.0, words.1)),
            UUIDv7(milliseconds: milliseconds, randomness: (words.2, words.3))
        )
    }

    /// The request of a line as far as its answer's reader needs it: the form that it asks in.
    private var request: InferenceRequest? {
        let body = Array(#"{"model":"#.utf8) + JSONString.bytes(of: owner.upstreamModel) + [UInt8(ascii: "}")]
        return body.withUnsafeBytes { try? InferenceRequest(reading: $0, surface: owner.surface) }
    }
}

/// The head that an answer inside a line would have had.
private struct JSONHead: HeaderLookup {
    func first(_ lowercaseName: String) -> String? { lowercaseName == "content-type" ? "application/json" : nil }
}
