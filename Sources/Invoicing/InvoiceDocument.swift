import Accounts
import FoundationEssentials
public import ServiceLevels

/// Everything that an invoice shows, frozen with it. Renderers read nothing else, so a seller who moves or a customer
/// who is renamed changes no past invoice. Amounts are decimal text: `amount` and totals with the currency's minor
/// digits, `exact…` with as many as they have.
public struct InvoiceDocument: Hashable, Sendable, Codable {
    /// The shape of the documents that are made now; a change that readers must know of gets the next number. A
    /// document keeps the one that it was made with, and its bytes: what a later shape added is left out of it.
    ///
    /// 2: a line says its `charge` and its `label`, and `unit` is that of its meter, where 1 said `tokens` of
    /// everything.
    public static let currentVersion = 2
    private static let schemaPrefix = "tollgate.invoice/"

    /// The schema of a version: `tollgate.invoice/2`.
    public static func schema(version: Int) -> String { "\(schemaPrefix)\(version)" }

    /// Whether it is of a test account.
    public var isTest: Bool { mode == AccountMode.test.rawValue }

    /// The number of its shape; nil where it is not one of ours.
    public var version: Int? { Int(schema.trimmingPrefix(Self.schemaPrefix)) }

    public var schema: String
    /// `test` on an invoice of a test account; nil on one that is meant.
    public var mode: String?
    /// `inv_…`
    public var invoiceID: String
    /// `INV-2026-000001`; nil on a draft.
    public var number: String?
    /// `2026-12-01`, the local day of the account's zone; nil on a draft.
    public var issuedOn: String?
    /// The last day for payment; nil on a draft.
    public var dueOn: String?
    /// ISO 4217.
    public var currency: String
    public var seller: Party
    public var customer: Party
    /// How and where to pay, as the seller wrote it.
    public var paymentInstructions: String
    public var period: Period
    /// In the order in which they are shown.
    public var lines: [Line]
    public var totals: Totals
    /// One for each credit line, in their order.
    public var serviceLevels: [ServiceLevel]

    enum CodingKeys: String, CodingKey {
        case schema, mode, number, currency, seller, customer, period, lines, totals
        case invoiceID = "invoice_id"
        case issuedOn = "issued_on"
        case dueOn = "due_on"
        case paymentInstructions = "payment_instructions"
        case serviceLevels = "service_levels"
    }
}

extension InvoiceDocument {
    /// Who sends the invoice, or who gets it.
    public struct Party: Hashable, Sendable, Codable {
        /// `acc_…` for the customer; nil for the seller.
        public var accountID: String?
        /// The legal name; the account's name where there is none.
        public var name: String
        /// As it stands on an envelope, line by line.
        public var address: [String]
        public var taxID: String
        public var email: String

        public init(accountID: String? = nil, name: String, address: [String], taxID: String, email: String) {
            self.accountID = accountID
            self.name = name
            self.address = address
            self.taxID = taxID
            self.email = email
        }

        enum CodingKeys: String, CodingKey {
            case name, address, email
            case accountID = "account_id"
            case taxID = "tax_id"
        }
    }

    /// Local days of the account's zone, both inside; and the same as half-open instants.
    public struct Period: Hashable, Sendable, Codable {
        /// `2026-11-01`
        public var from: String
        /// `2026-11-30`
        public var through: String
        /// RFC 3339, UTC.
        public var start: String
        /// RFC 3339, UTC; the first instant that is no longer inside.
        public var end: String
        /// IANA name.
        public var timeZone: String

        enum CodingKeys: String, CodingKey {
            case from, through, start, end
            case timeZone = "time_zone"
        }
    }

    public struct Line: Hashable, Sendable, Codable {
        /// `il_…`
        public var id: String
        /// Of `InvoiceLineKind`.
        public var kind: String
        /// `pay-as-you-go@1/sim-small/priority/input_tokens`, `team@3/base_fee`; nil in documents of version 1.
        public var charge: String?
        public var description: String
        /// `sub_…`
        public var subscriptionID: String
        public var tenant: String
        public var plan: String
        public var planVersion: Int
        public var model: String?
        /// `input_tokens` …
        public var meter: String?
        /// What the meter counts, in words; nil in documents of version 1.
        public var label: String?
        public var tier: String?
        /// Local days, both inside.
        public var from: String
        public var through: String
        /// Base units, such as tokens.
        public var quantity: String?
        /// What `quantity` counts: `tokens`, `images` … In documents of version 1 it is always `tokens`.
        public var unit: String?
        /// For 1 000 000 base units.
        public var unitPricePerMillion: String?
        public var exactAmount: String
        public var amount: String

        enum CodingKeys: String, CodingKey {
            case id, kind, charge, description, tenant, plan, model, meter, label, tier, from, through, quantity, unit
            case amount
            case subscriptionID = "subscription_id"
            case planVersion = "plan_version"
            case unitPricePerMillion = "unit_price_per_million"
            case exactAmount = "exact_amount"
        }
    }

    public struct Totals: Hashable, Sendable, Codable {
        /// Sum of all lines but the credits.
        public var charges: String
        /// Sum of the credits, zero or negative.
        public var credits: String
        /// What is to be paid: `charges` + `credits`.
        public var total: String
        /// Sum of the lines' exact amounts.
        public var exactTotal: String
        /// Credits granted that wait for the next invoice.
        public var creditsCarriedOver: String

        enum CodingKeys: String, CodingKey {
            case charges, credits, total
            case exactTotal = "exact_total"
            case creditsCarriedOver = "credits_carried_over"
        }
    }

    /// Why a credit is given.
    public struct ServiceLevel: Hashable, Sendable, Codable {
        /// `sla_…`
        public var resultID: String
        /// The credit line that this explains.
        public var lineID: String
        /// `2026-11`
        public var month: String
        public var tier: String
        /// `availability` or `time_to_first_token`.
        public var objective: String
        /// Milliseconds; only where the objective is a time.
        public var thresholdMilliseconds: Int64?
        /// Percent of requests.
        public var promisedPercent: String
        /// Percent of requests, cut to 4 decimals.
        public var attainedPercent: String
        /// Counts and the worst requests.
        public var evidence: PromiseEvidence
        /// Percent of `base`.
        public var creditPercent: String
        /// The tier's exact charges of the month.
        public var base: String
        public var exactCredit: String
        public var credit: String
        /// Of it on earlier invoices.
        public var appliedBefore: String
        /// Of it on this invoice.
        public var applied: String

        enum CodingKeys: String, CodingKey {
            case month, tier, objective, evidence, base, credit, applied
            case resultID = "result_id"
            case lineID = "line_id"
            case thresholdMilliseconds = "threshold_ms"
            case promisedPercent = "promised_percent"
            case attainedPercent = "attained_percent"
            case creditPercent = "credit_percent"
            case exactCredit = "exact_credit"
            case appliedBefore = "applied_before"
        }
    }
}

// MARK: - JSON

extension InvoiceDocument {
    /// The document as it is stored and served: UTF-8, keys sorted, no spaces, money as strings. Equal documents are
    /// equal bytes.
    public func canonicalJSON() throws -> String { try CanonicalJSON.text(of: self) }

    /// Reads a stored document.
    public init(json: String) throws {
        self = try JSONDecoder().decode(InvoiceDocument.self, from: Data(json.utf8))
    }
}

/// How frozen documents are written.
enum CanonicalJSON {
    static func text(of document: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }
}
