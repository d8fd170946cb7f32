import Identity
import NaiveArithmetic
import Testing

struct TypedIDTests {
    private static let digits = "017f22e279b07cc398c4dc0c0c07398f"

    @Test func `an id survives its text`() {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let id = RequestID(UUIDv7(high: generator.next(), low: generator.next()))
            #expect(RequestID(id.description) == id, "seed \(seed)")
            #expect(AttemptID(id.description) == nil, "seed \(seed)")
        }
    }

    @Test func `an id prints its prefix and 32 digits`() throws {
        let uuid = try #require(UUIDv7(Self.digits))
        #expect(AccountID(uuid).description == "acc_\(Self.digits)")
        #expect(InvoiceLineID(uuid).description == "il_\(Self.digits)")
        #expect(AccountID("acc_\(Self.digits)")?.uuid == uuid)
        #expect(AccountID("acc_\(Self.digits)".suffix(36))?.uuid == uuid)
    }

    @Test(arguments: [
        "", "acc_", digits, "acc\(digits)", "acc-\(digits)", "ACC_\(digits)", "Acc_\(digits)", "ten_\(digits)",
        "acc__\(digits)", "xacc_\(digits)", " acc_\(digits)", "acc_\(digits) ", "acc_\(digits)0",
        "acc_\(digits.dropLast())",
        "acc_017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "acc_g17f22e279b07cc398c4dc0c0c07398f",
        "acc_\u{301}17f22e279b07cc398c4dc0c0c07398f",
    ])
    func `another prefix, no prefix, dashes and other lengths are refused`(text: String) {
        #expect(AccountID(text) == nil)
    }

    @Test func `no two kinds share a prefix, and each is two to four lowercase letters`() {
        let kinds: [any IDKind.Type] = [
            IDKinds.Account.self, IDKinds.Tenant.self, IDKinds.Project.self, IDKinds.Key.self,
            IDKinds.Subscription.self, IDKinds.Request.self, IDKinds.Attempt.self, IDKinds.Invoice.self,
            IDKinds.InvoiceLine.self, IDKinds.Transaction.self, IDKinds.ServiceLevelResult.self,
            IDKinds.Journal.self, IDKinds.AdminKey.self,
        ]
        let prefixes = kinds.map { $0.prefix }
        #expect(Set(prefixes).count == prefixes.count)
        for prefix in prefixes {
            #expect((2...4).contains(prefix.utf8.count) && prefix.utf8.allSatisfy { (97...122).contains($0) })
        }
    }

    @Test func `ids of one kind sort by time`() {
        let first = InvoiceID(UUIDv7(milliseconds: 1, randomness: (.max, .max)))
        let second = InvoiceID(UUIDv7(milliseconds: 2, randomness: (0, 0)))
        #expect(first < second)
        #expect(first.description < second.description)
    }
}
