import ArgumentParser
import Billing
import Engines
import Identity
import Metering
import Monetary
import Storage

struct UsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Who used how much, and what it costs.",
        subcommands: [Sums.self, Record.self], defaultSubcommand: Sums.self)

    struct Sums: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sums over a month or a span of billing time, whole hours of the account's zone.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "The calendar month, such as 2026-11, of each account in its own zone.") var period: String?
        @Option(help: "From, RFC 3339; a whole hour in the account's zone.") var from: String?
        @Option(help: "Until, RFC 3339, exclusive; a whole hour, too.") var to: String?
        @Option(help: "Only this account.") var account: String?
        @Option(help: "Only this tenant.") var tenant: String?
        @OptionGroup var mode: ModeOptions
        @Option(help: "hour, day, account, tenant, project, key, model, price_key, tier; repeat for more.")
        var by: [String] = ["model", "tier"]
        @Option(help: "Only requests with this tag, name=value; repeat for more.") var tag: [String] = []

        func run() async throws {
            let query = try query()
            let sums = try await options.look { try $0.usageSums(query) }
            for fault in sums.leftOut {
                say("account \(fault.name) cannot be read and its usage is missing: \(fault.reason)")
            }
            let dimensions = UsageQuery.Dimension.allCases.filter(query.groupBy.contains)
            output.print(
                columns: dimensions.map(\.rawValue) + ["meter", "quantity", "amount", "currency", "waived", "records"],
                rows: sums.totals.map { total in
                    dimensions.map { total.group[$0] ?? "" } + [
                        total.meter.rawValue, "\(total.quantity)", "\(total.amount)", total.amount.currency.code,
                        "\(total.waivedAmount)", "\(total.records)",
                    ]
                })
        }

        private func span() throws -> UsageQuery.Span {
            if let period {
                guard from == nil, to == nil else { throw ValidationError("--period goes without --from and --to") }
                return .month(try InvoicesCommand.month(period))
            }
            guard let from = from.flatMap({ Timestamp($0) }), let to = to.flatMap({ Timestamp($0) }) else {
                throw ValidationError("give --period 2026-11, or --from and --to as instants: 2026-11-01T00:00:00Z")
            }
            guard from < to else { throw ValidationError("--to must lie after --from") }
            return .instants(from: from, to: to)
        }

        private func query() throws -> UsageQuery {
            var query = UsageQuery(try span())
            query.groupBy = Set(
                try by.map { name in
                    guard let dimension = UsageQuery.Dimension(rawValue: name) else {
                        let names = UsageQuery.Dimension.allCases.map(\.rawValue).joined(separator: ", ")
                        throw ValidationError("--by is one of \(names), not '\(name)'")
                    }
                    return dimension
                })
            query.account = try account.map { try readID($0) }
            query.tenant = try tenant.map { try readID($0) }
            query.mode = mode.asked(isNamed: query.isNamed)
            query.tags = try tag.map { text in
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2 else { throw ValidationError("a tag is name=value, not '\(text)'") }
                return Tag(name: String(parts[0]), value: String(parts[1]))
            }
            return query
        }
    }

    struct Record: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One request's record and its attempts.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The request id, as x-request-id said.") var request: String

        func run() async throws {
            let id: RequestID = try readID(request)
            let found = try await options.look { try $0.usageRecord(id) }
            guard let found else { throw StorageError.notFound("record of \(id) (yet: ingest may be behind)") }
            let record = found.request
            var fields: [(String, String)] = [
                ("request", "\(record.id)"), ("accepted at", "\(record.acceptedAt)"),
                ("account", "\(record.accountID)"), ("tenant", "\(record.tenantID)"),
                ("surface", record.surface.rawValue), ("model", record.model),
                ("model requested", record.modelRequested),
                ("tier requested", record.tierRequested), ("tier", found.tier),
                ("outcome", record.outcome.rawValue), ("status", "\(record.httpStatus)"), ("reason", record.reason),
                ("notes", record.notes.text),
            ]
            for attempt in found.attempts {
                let prefix = "attempt \(attempt.record.number) "
                fields += [
                    (prefix + "backend", attempt.record.backend), (prefix + "model", attempt.record.modelServed),
                    (prefix + "kind", attempt.record.kind.rawValue),
                    (prefix + "termination", attempt.record.termination.rawValue),
                    (prefix + "usage source", attempt.record.usageSource.rawValue),
                    (prefix + "notes", attempt.record.notes.text),
                ]
                fields += UsageFields.fields(of: attempt.record).map { (prefix + $0.name, $0.value) }
                fields += [
                    (prefix + "delivered", attempt.record.isDelivered ? "yes" : "no"),
                    (prefix + "rating", attempt.rating.rawValue), (prefix + "tier billed", attempt.tier),
                    (prefix + "price conditions", attempt.variant),
                    (prefix + "amount", "\(attempt.amount) \(attempt.amount.currency.code)"),
                ]
            }
            output.print(fields: fields)
        }
    }
}
