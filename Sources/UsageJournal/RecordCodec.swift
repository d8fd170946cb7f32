import Identity
import Metering

/// The binary form, version 1, of requests and attempts: fields in the order written here, none left out.
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
        byte(record.operation.code)
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
    }

    mutating func buckets(_ buckets: TokenBuckets) {
        signed(buckets.inputUncached)
        signed(buckets.cacheRead)
        signed(buckets.cacheWriteFiveMinutes)
        signed(buckets.cacheWriteHour)
        signed(buckets.cacheWriteLong)
        signed(buckets.outputVisible)
        signed(buckets.outputReasoning)
    }

    private mutating func marks(_ marks: TimeMarks) {
        signed(marks.upstreamSent)
        signed(marks.firstByte)
        signed(marks.firstToken)
        signed(marks.lastToken)
        signed(marks.end)
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

extension ByteReader {
    mutating func entry() throws(DecodingFault) -> UsageEntry {
        let request = try request()
        let number = try count(atMost: UsageEntry.attemptsMax)
        var attempts: [AttemptRecord] = []
        attempts.reserveCapacity(number)
        for _ in 0..<number { attempts.append(try attempt()) }
        return UsageEntry(request: request, attempts: attempts)
    }

    private mutating func request() throws(DecodingFault) -> RequestRecord {
        var record = RequestRecord(
            id: try id(), accountID: try id(), tenantID: try id(), projectID: try id(), keyID: try id(),
            subscriptionID: try id(),
            surface: try code { Operation(code: $0).flatMap(Surface.init(firstVersionOperation:)) },
            modelRequested: try text())
        record.tierRequested = try text()
        record.isStream = try flag()
        record.outcome = try code(RequestOutcome.init(code:))
        record.httpStatus = try int32()
        record.reason = try text()
        record.marks = try marks()
        for _ in 0..<(try count(atMost: Tag.countMax)) {
            let name = try text()
            record.tags.append(Tag(name: name, value: try text()))
        }
        record.clockOffsetMilliseconds = try signed()
        return record
    }

    private mutating func attempt() throws(DecodingFault) -> AttemptRecord {
        let id: AttemptID = try id()
        let number = try int32()
        let backend = try text()
        let upstreamModel = try text()
        let modelServed = try text()
        var record = AttemptRecord(
            id: id, number: number, backend: backend, upstreamModel: upstreamModel, priceKey: try text())
        record.modelServed = modelServed
        record.tierServed = try optionalText()
        record.buckets = try buckets()
        record.usageSource = try code(UsageSource.init(code:))
        record.usageComplete = try flag()
        record.contradiction = try optionalText()
        record.termination = try code(Termination.init(code:))
        record.finishReason = try optionalText()
        record.upstreamStatus = try int32()
        record.upstreamID = try optionalText()
        record.contentEvents = try signed()
        record.marks = try marks()
        record.isDelivered = try flag()
        record.hardware = try text()
        record.quantisation = try text()
        record.rawUsage = try blob()
        return record
    }

    mutating func buckets() throws(DecodingFault) -> TokenBuckets {
        TokenBuckets(
            inputUncached: try signed(), cacheRead: try signed(), cacheWriteFiveMinutes: try signed(),
            cacheWriteHour: try signed(), cacheWriteLong: try signed(), outputVisible: try signed(),
            outputReasoning: try signed())
    }

    private mutating func marks() throws(DecodingFault) -> TimeMarks {
        TimeMarks(
            upstreamSent: try optionalSigned(), firstByte: try optionalSigned(), firstToken: try optionalSigned(),
            lastToken: try optionalSigned(), end: try optionalSigned())
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

    private mutating func code<Value>(_ make: (UInt8) -> Value?) throws(DecodingFault) -> Value {
        let code = try byte()
        guard let value = make(code) else { throw DecodingFault(reason: "code \(code) of \(Value.self) is unknown") }
        return value
    }
}
