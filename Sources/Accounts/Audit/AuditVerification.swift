import Identity

/// Something in a chain that nobody could have done through the program.
public struct AuditFault: Hashable, Sendable, CustomStringConvertible {
    public let chain: AuditChain
    /// Where it shows; 0 for the chain as a whole.
    public let number: Int64
    public let message: String

    public init(_ chain: AuditChain, _ number: Int64, _ message: String) {
        self.chain = chain
        self.number = number
        self.message = message
    }

    public var description: String { "\(chain): \(message)" }
}

/// Follows one chain from its first entry to its head.
public struct AuditVerification: Sendable {
    public let chain: AuditChain
    public private(set) var entryCount = 0
    public private(set) var faults: [AuditFault] = []
    private let head: AuditHead
    private var last = AuditHead.none

    /// The most faults of one chain that are told.
    public static let faultsMax = 100

    /// Begins before the first entry of a chain that ends at `head`.
    public init(_ chain: AuditChain, endingAt head: AuditHead) {
        self.chain = chain
        self.head = head
    }

    /// Takes the next entry by number.
    public mutating func take(_ entry: AuditEntry) {
        entryCount += 1
        let number = entry.number
        if number != last.number + 1 {
            let first = last.number + 1
            add(
                first,
                first == number - 1 ? "entry \(first) is missing" : "entries \(first) to \(number - 1) are missing")
        } else if entry.previous != last.digest {
            add(number, "entry \(number) does not follow entry \(last.number): one of them was put in another's place")
        }
        if entry.computedDigest != entry.digest { add(number, "entry \(number) was changed") }
        last = entry.head
    }

    /// Ends after the last entry.
    public mutating func finish() {
        if last.number < head.number {
            let first = last.number + 1
            add(
                first,
                first == head.number
                    ? "entry \(first), the newest, is missing" : "entries \(first) to \(head.number) are missing")
        } else if last != head {
            add(last.number, "the chain's head is not its newest entry, \(last.number)")
        }
    }

    private mutating func add(_ number: Int64, _ message: String) {
        if faults.count < AuditVerification.faultsMax { faults.append(AuditFault(chain, number, message)) }
    }
}
