public import Identity

/// The shared side of one rule: what is left, and what each gateway holds. Pure; the caller keeps two exchanges on one
/// rule apart, loads this state before and stores it afterwards.
///
/// For rates, `bucket` and all `held` together never exceed the value, so that gateways with reserves cannot take more
/// at once than one alone. Concurrency needs no bucket: what is left is the value less all that is held and reserved.
public struct SliceLedger: Equatable, Sendable {
    /// One gateway's part.
    public struct Slice: Equatable, Sendable {
        /// In the gateway's hands and not given to any request, by its last report and the grant since.
        public var held: Int64
        /// Given to requests that were running at its last report.
        public var reserved: Int64
        /// `SliceRequest.spent` of its last report, less what was reserved when the slice lapsed.
        public var spent: Int64
        /// When the shared side takes it back, in milliseconds of its clock.
        public var lapsesAt: Int64

        public init(held: Int64, reserved: Int64, spent: Int64, lapsesAt: Int64) {
            self.held = held
            self.reserved = reserved
            self.spent = spent
            self.lapsesAt = lapsesAt
        }
    }

    public let limitID: LimitID
    public let kind: LimitKind
    public let value: Int64
    public private(set) var bucket: TokenBucket
    /// By gateway process: each start is another one.
    public private(set) var slices: [UUIDv7: Slice]

    public init(limitID: LimitID, kind: LimitKind, value: Int64, bucket: TokenBucket, slices: [UUIDv7: Slice]) {
        self.limitID = limitID
        self.kind = kind
        self.value = value
        self.bucket = bucket
        self.slices = slices
    }

    public init(limitID: LimitID, kind: LimitKind, value: Int64, now: Int64) {
        self.init(
            limitID: limitID, kind: kind, value: value, bucket: TokenBucket(holding: value, at: now), slices: [:])
    }

    /// What no gateway has.
    public var available: Int64 {
        guard !kind.isRate else { return bucket.available }
        return max(0, slices.values.reduce(value) { $0 - $1.held - $1.reserved })
    }

    /// Takes one gateway's report and answers its wish. `now` is in milliseconds of the shared side's clock.
    public mutating func exchange(_ request: SliceRequest, gateway: UUIDv7, now: Int64) -> SliceGrant {
        lapse(now: now)
        bucket.refill(perMinute: value, ceiling: ceiling, now: now)
        let covered = take(report: request, gateway: gateway, now: now)
        let active = Int64(slices.values.count { $0.lapsesAt > now })
        var granted: Int64 = 0
        if request.need <= available {
            granted = min(available, request.wanted)
            granted += min(request.ahead, (available - granted) / (SliceRules.reserveDivisor * active))
        }
        if kind.isRate { bucket.take(granted, perMinute: value) }
        slices[gateway]?.held += granted
        return SliceGrant(
            limitID: limitID, amount: covered + granted, available: kind.isRate ? bucket.balance : available,
            gatewayCount: active,
            isHeldElsewhere: slices.contains { $0.key != gateway && $0.value.held > 0 })
    }

    /// Applies a report and returns the debt that it covers.
    private mutating func take(report: SliceRequest, gateway: UUIDv7, now: Int64) -> Int64 {
        var slice =
            slices[gateway] ?? Slice(held: 0, reserved: 0, spent: report.spentConfirmed, lapsesAt: 0)
        if report.isFirst { slice.spent = report.spentConfirmed }
        // What the gateway had, less what it spent and what it keeps: it gave that back.
        let returned = slice.held - (report.spent - slice.spent) - report.free
        let debt = max(0, -report.free)
        slice.spent = report.spent
        slice.reserved = report.reserved
        slice.held = max(report.free, 0)
        slice.lapsesAt = now + SliceRules.sliceMilliseconds + SliceRules.graceMilliseconds
        slices[gateway] = slice
        if kind.isRate {
            let change = returned - debt
            if change >= 0 { bucket.give(change, ceiling: ceiling) } else { bucket.take(-change, perMinute: value) }
        }
        return debt
    }

    /// Frees what gateways hold that did not ask again: they are gone, or have stopped using it. Requests that were
    /// running there will be settled by nobody, so what was reserved for them comes back too; if the gateway was only
    /// cut off, its next report takes it again.
    private mutating func lapse(now: Int64) {
        for (gateway, slice) in slices where slice.lapsesAt <= now {
            if slice.lapsesAt + SliceRules.forgetMilliseconds <= now {
                slices[gateway] = nil
                continue
            }
            guard slice.held != 0 || slice.reserved != 0 else { continue }
            var freed = slice
            freed.held = 0
            freed.reserved = 0
            freed.spent -= slice.reserved
            slices[gateway] = freed
            if kind.isRate { bucket.give(slice.held + slice.reserved, ceiling: ceiling) }
        }
    }

    /// What the bucket may hold at most.
    private var ceiling: Int64 { slices.values.reduce(value) { $0 - $1.held } }
}
