import Identity
import Metering

/// The binary form, version 3, of requests and attempts: fields in the order written here, none left out. Numbers that
/// are mostly zero or absent stand behind a mask that says which of them follow.
///
/// A new field means a new version; a reader knows all versions up to its own.
extension ByteWriter {
    mutating func entry(_ entry: borrowing UsageEntry) {
        request(entry.request)
        unsigned(UInt64(entry.attempts.count))
        for attempt in entry.attempts { self.attempt(attempt) }
    }

    private mutating func request(_ record: borrowing RequestRecord) {
        id(record.id)
        id(record.accountID)
        id(record.tenantID)
        id(record.projectID)
        id(record.keyID)
        id(record.subscriptionID)
        byte(record.surface.code)
        blob(record.idempotencyDigest)
        text(record.modelRequested)
        text(record.tierRequested)
        flag(record.isStream)
        byte(record.outcome.code)
        signed(Int64(record.httpStatus))
        text(record.reason)
        marks(record.marks)
        unsigned(UInt64(record.tags.count))
        for tag in record.tags {
            text(tag.name)
            text(tag.value)
        }
        signed(record.clockOffsetMilliseconds)
        // Empty where the client wrote the model's own name, as nearly all do.
        text(record.model == record.modelRequested ? "" : record.model)
        unsigned(UInt64(record.notes.rawValue))
    }

    private mutating func attempt(_ record: borrowing AttemptRecord) {
        id(record.id)
        signed(Int64(record.number))
        text(record.backend)
        text(record.upstreamModel)
        text(record.modelServed)
        text(record.priceKey)
        text(record.tierServed)
        buckets(record.buckets)
        byte(record.usageSource.code)
        flag(record.usageComplete)
        text(record.contradiction)
        byte(record.termination.code)
        text(record.finishReason)
        signed(Int64(record.upstreamStatus))
        text(record.upstreamID)
        signed(record.contentEvents)
        marks(record.marks)
        flag(record.isDelivered)
        text(record.hardware)
        text(record.quantisation)
        blob(record.rawUsage)
        byte(record.kind.code)
        units(record.units)
        timings(record.timings)
        flag(record.isBatch)
        text(record.region)
        text(record.engineCost)
        unsigned(UInt64(record.notes.rawValue))
    }

    /// What a running request has received so far.
    mutating func progress(_ progress: borrowing UsageProgress) {
        id(progress.requestID)
        signed(progress.contentEvents)
        buckets(progress.buckets)
        units(progress.units)
        unsigned(UInt64(progress.attempts.count))
        for attempt in progress.attempts { self.attempt(attempt) }
    }

    /// The most common first, so that an ordinary mask is one byte.
    private mutating func buckets(_ buckets: TokenBuckets) {
        nonzero([
            buckets.inputUncached, buckets.outputVisible, buckets.cacheRead, buckets.outputReasoning,
            buckets.cacheWriteFiveMinutes, buckets.cacheWriteHour, buckets.inputImage, buckets.inputAudio,
            buckets.outputAudio, buckets.cacheWriteLong, buckets.inputVideo, buckets.cacheReadAudio,
            buckets.cacheReadImage, buckets.cacheReadVideo, buckets.outputImage,
        ])
    }

    private mutating func units(_ units: UsageUnits) {
        nonzero([units.images, units.audioMilliseconds, units.characters, units.searches, units.computeMilliseconds])
    }

    private mutating func marks(_ marks: TimeMarks) {
        present([marks.upstreamSent, marks.firstByte, marks.firstToken, marks.lastToken, marks.end])
    }

    private mutating func timings(_ timings: EngineTimings) {
        present([timings.queue, timings.prefill, timings.decode, timings.firstToken, timings.total])
    }

    /// A mask of those that are not zero, and these.
    private mutating func nonzero<let count: Int>(_ values: [count of Int64]) {
        var mask: UInt64 = 0
        for index in 0..<count where values[index] != 0 { mask |= 1 << UInt64(index) }
        unsigned(mask)
        for index in 0..<count where values[index] != 0 { signed(values[index]) }
    }

    /// A mask of those that are there, and these.
    private mutating func present<let count: Int>(_ values: [count of Int64?]) {
        var mask: UInt64 = 0
        for index in 0..<count where values[index] != nil { mask |= 1 << UInt64(index) }
        unsigned(mask)
        for index in 0..<count { if let value = values[index] { signed(value) } }
    }

    mutating func refusals(_ counts: [RefusalCount]) {
        unsigned(UInt64(counts.count))
        for count in counts {
            id(count.accountID)
            id(count.keyID)
            text(count.reason)
            signed(count.minute.milliseconds)
            signed(count.count)
        }
    }
}

/// Reads the forms of all versions; what a version did not have yet is as a record just begun has it.
extension ByteReader {
    mutating func entry(version: UInt8) throws(DecodingFault) -> UsageEntry {
        UsageEntry(request: try request(version: version), attempts: try attempts(version: version))
    }

    mutating func progress(version: UInt8) throws(DecodingFault) -> UsageProgress {
        var progress = UsageProgress(
            requestID: try id(), contentEvents: try signed(), buckets: try buckets(version: version))
        guard version > 1 else { return progress }
        progress.units = try units()
        progress.attempts = try attempts(version: version)
        return progress
    }

    private mutating func attempts(version: UInt8) throws(DecodingFault) -> [AttemptRecord] {
        let number = try count(atMost: UsageEntry.attemptsMax)
        var attempts: [AttemptRecord] = []
        attempts.reserveCapacity(number)
        for _ in 0..<number { attempts.append(try attempt(version: version)) }
        return attempts
    }

    private mutating func request(version: UInt8) throws(DecodingFault) -> RequestRecord {
        var record = RequestRecord(
            id: try id(), accountID: try id(), tenantID: try id(), projectID: try id(), keyID: try id(),
            subscriptionID: try id(), surface: try version > 1 ? code(Surface.init(code:)) : firstVersionSurface(),
            modelRequested: "")
        if version > 1 { record.idempotencyDigest = try blob() }
        record.modelRequested = try text()
        record.tierRequested = try text()
        record.isStream = try flag()
        record.outcome = try code(RequestOutcome.init(code:))
        record.httpStatus = try int32()
        record.reason = try text()
        record.marks = try marks(version: version)
        for _ in 0..<(try count(atMost: Tag.countMax)) {
            let name = try text()
            record.tags.append(Tag(name: name, value: try text()))
        }
        record.clockOffsetMilliseconds = try signed()
        record.model = record.modelRequested
        guard version > 2 else { return record }
        let model = try text()
        if !model.isEmpty { record.model = model }
        record.notes = try notes()
        return record
    }

    private mutating func attempt(version: UInt8) throws(DecodingFault) -> AttemptRecord {
        let id: AttemptID = try id()
        let number = try int32()
        let backend = try text()
        let upstreamModel = try text()
        let modelServed = try text()
        var record = AttemptRecord(
            id: id, number: number, backend: backend, upstreamModel: upstreamModel, priceKey: try text())
        record.modelServed = modelServed
        record.tierServed = try optionalText()
        record.buckets = try buckets(version: version)
        record.usageSource = try code(UsageSource.init(code:))
        record.usageComplete = try flag()
        record.contradiction = try optionalText()
        record.termination = try code(Termination.init(code:))
        record.finishReason = try optionalText()
        record.upstreamStatus = try int32()
        record.upstreamID = try optionalText()
        record.contentEvents = try signed()
        record.marks = try marks(version: version)
        record.isDelivered = try flag()
        record.hardware = try text()
        record.quantisation = try text()
        record.rawUsage = try blob()
        guard version > 1 else { return record }
        record.kind = try code(InferenceKind.init(code:))
        record.units = try units()
        record.timings = try timings()
        record.isBatch = try flag()
        record.region = try text()
        record.engineCost = try optionalText()
        guard version > 2 else { return record }
        record.notes = try notes()
        return record
    }

    private mutating func notes() throws(DecodingFault) -> RecordNotes {
        guard let bits = UInt32(exactly: try unsigned()) else {
            throw DecodingFault(reason: "the notes of a record have more than 32 bits")
        }
        return RecordNotes(rawValue: bits)
    }

    private mutating func buckets(version: UInt8) throws(DecodingFault) -> TokenBuckets {
        guard version > 1 else { return try firstVersionBuckets() }
        let values: [15 of Int64] = try nonzero()
        return TokenBuckets(
            inputUncached: values[0], inputAudio: values[7], inputImage: values[6], inputVideo: values[10],
            cacheRead: values[2], cacheReadAudio: values[11], cacheReadImage: values[12], cacheReadVideo: values[13],
            cacheWriteFiveMinutes: values[4], cacheWriteHour: values[5], cacheWriteLong: values[9],
            outputVisible: values[1], outputAudio: values[8], outputImage: values[14], outputReasoning: values[3])
    }

    private mutating func units() throws(DecodingFault) -> UsageUnits {
        let values: [5 of Int64] = try nonzero()
        return UsageUnits(
            images: values[0], audioMilliseconds: values[1], characters: values[2], searches: values[3],
            computeMilliseconds: values[4])
    }

    private mutating func marks(version: UInt8) throws(DecodingFault) -> TimeMarks {
        guard version > 1 else { return try firstVersionMarks() }
        let values: [5 of Int64?] = try present()
        return TimeMarks(
            upstreamSent: values[0], firstByte: values[1], firstToken: values[2], lastToken: values[3], end: values[4])
    }

    private mutating func timings() throws(DecodingFault) -> EngineTimings {
        let values: [5 of Int64?] = try present()
        return EngineTimings(
            queue: values[0], prefill: values[1], decode: values[2], firstToken: values[3], total: values[4])
    }

    private mutating func nonzero<let count: Int>() throws(DecodingFault) -> [count of Int64] {
        let mask = try mask(of: count)
        var values = [count of Int64](repeating: 0)
        for index in 0..<count where mask & 1 << UInt64(index) != 0 { values[index] = try signed() }
        return values
    }

    private mutating func present<let count: Int>() throws(DecodingFault) -> [count of Int64?] {
        let mask = try mask(of: count)
        var values = [count of Int64?](repeating: nil)
        for index in 0..<count where mask & 1 << UInt64(index) != 0 { values[index] = try signed() }
        return values
    }

    private mutating func mask(of count: Int) throws(DecodingFault) -> UInt64 {
        let mask = try unsigned()
        guard mask < 1 << UInt64(count) else { throw DecodingFault(reason: "a mask names fields that are unknown") }
        return mask
    }

    mutating func refusals() throws(DecodingFault) -> [RefusalCount] {
        var counts: [RefusalCount] = []
        for _ in 0..<(try count(atMost: JournalEntry.refusalsMax)) {
            counts.append(
                RefusalCount(
                    accountID: try optionalID(), keyID: try optionalID(), reason: try text(),
                    minute: Timestamp(milliseconds: try signed()), count: try signed()))
        }
        return counts
    }

    mutating func code<Value>(_ make: (UInt8) -> Value?) throws(DecodingFault) -> Value {
        let code = try byte()
        guard let value = make(code) else { throw DecodingFault(reason: "code \(code) of \(Value.self) is unknown") }
        return value
    }
}
