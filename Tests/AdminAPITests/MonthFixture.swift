import Accounts
import Billing
import Identity
import Invoicing
import Monetary
import PlanLanguage
import Pricing
import Storage
import TestSupport

/// A customer with a fee of 49.00 a month since August and no usage: August is over and can be closed.
struct MonthFixture {
    let account: Account
    let subscription: Subscription
    private let database: Database

    static func store(in database: Database) async throws -> MonthFixture {
        guard let start = Timestamp("2026-08-01T00:00:00Z") else { preconditionFailure("the first is a day") }
        let calendar = try BillingCalendar(zoneName: "UTC")
        let account = Account(
            id: UsageFixture.id(101), name: "Steady", currency: .usd, calendar: calendar, createdAt: start)
        let subscription = Subscription(
            id: UsageFixture.id(105), accountID: account.id, tenantID: UsageFixture.id(102), plan: "steady",
            startsAt: start,
            createdAt: start)
        let version = try PlanVersion(
            yaml: PlanFixture.text().replacing("plan: pay-as-you-go", with: "plan: steady")
                + "\nbase_fee: {amount: \"49.00\"}\n")
        try await database.write { tx in
            try SellerStorage.set(Seller(name: "Tokens Ltd"), in: tx)
            try PlanStorage.apply(version, now: start, in: tx)
            try Customer(account: account, subscription: subscription).store(tenant: "All", in: tx)
        }
        return MonthFixture(account: account, subscription: subscription, database: database)
    }

    /// The draft of August, as a run leaves it that was stopped before it gave out numbers.
    func draft() async throws -> InvoiceID {
        guard let august = CivilMonth("2026-08") else { preconditionFailure("August is a month") }
        let options = InvoiceRun.Options(month: august, now: RunningAPI.now, accounts: [account.id])
        let service = BillingService(database, now: { RunningAPI.now })
        let report = try await service.invoiceRun(options, by: .operator("clerk", on: "desk-1"))
            .prepareDrafts()
        guard let id = report.draftIDs.first else { preconditionFailure("August can be closed") }
        return id
    }
}
