import Accounts
import Billing
import CatalogueLanguage
import HTTPTypes
import Identity
import Invoicing
import Ledger
import Pricing
import Storage

/// An error as callers see it (RFC 9457), with a stable code to branch on and the parameters that were wrong.
struct Problem: Error, Sendable {
    let status: Int
    /// Stable, in snake case.
    let code: Code
    /// What is wrong with this call and what to do.
    let detail: String
    var errors: [Schema.Complaint] = []
    var headers: HTTPFields = [:]

    enum Code: String, CaseIterable, Sendable {
        case invalidRequest = "invalid_request"
        case unauthenticated
        case roleTooLow = "role_too_low"
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case conflict
        case idempotencyKeyInUse = "idempotency_key_in_use"
        case idempotencyKeyReused = "idempotency_key_reused"
        case bodyTooLarge = "body_too_large"
        case unsupportedMediaType = "unsupported_media_type"
        case rejectedDocument = "rejected_document"
        case unavailable
        case outcomeUnknown = "outcome_unknown"
        case internalError = "internal_error"

        /// The same for every problem of the kind.
        var title: String {
            switch self {
            case .invalidRequest: "The request is not valid"
            case .unauthenticated: "An admin key is needed"
            case .roleTooLow: "The key's role does not allow this"
            case .notFound: "Not found"
            case .methodNotAllowed: "The method is not allowed here"
            case .conflict: "It cannot be done as things stand"
            case .idempotencyKeyInUse: "A call with this idempotency key is under way"
            case .idempotencyKeyReused: "The idempotency key was used for another call"
            case .bodyTooLarge: "The body is too large"
            case .unsupportedMediaType: "The body's media type is not accepted"
            case .rejectedDocument: "The document cannot be used"
            case .unavailable: "The service is not available"
            case .outcomeUnknown: "It is not known whether the change was made"
            case .internalError: "Something went wrong here"
            }
        }
    }

    init(
        _ status: Int, _ code: Code, _ detail: String, errors: [Schema.Complaint] = [],
        headers: HTTPFields = [:]
    ) {
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers
    }
}

extension Problem {
    /// Wrong parameters; the answer lists them all.
    static func invalid(_ complaints: [Schema.Complaint]) -> Problem {
        let listed = Array(complaints.prefix(Schema.complaintCountMax))
        let first = listed.first.map { "\($0.parameter.isEmpty ? "the body" : $0.parameter) \($0.detail)" } ?? ""
        let more = complaints.count > 1 ? " (and \(complaints.count - 1) more, see errors)" : ""
        return Problem(400, .invalidRequest, first + more, errors: listed)
    }

    static func invalid(_ parameter: String, _ detail: String) -> Problem {
        invalid([Schema.Complaint(parameter: parameter, detail: detail)])
    }

    static func notFound(_ what: String) -> Problem { Problem(404, .notFound, "there is no \(what)") }

    /// A document with findings, each at its place.
    static func rejected(_ findings: [PlanFinding]) -> Problem {
        Problem(
            422, .rejectedDocument, "the document has errors; see errors, or ask /v1/plan_lints",
            errors: findings.filter { $0.severity == .error }.prefix(Schema.complaintCountMax).map {
                Schema.Complaint(
                    parameter: $0.path, detail: ($0.line.map { "line \($0): " } ?? "") + $0.message)
            })
    }

    /// What an error of the parts below means for the caller.
    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case StorageError.notFound(let what): self = .notFound(what)
        case StorageError.conflict(let message): self = Problem(409, .conflict, message)
        case StorageError.invalid(let parameter, let message): self = .invalid(parameter, message)
        case let error as PermissionDenied: self = Problem(403, .roleTooLow, error.description)
        case let error as PlanRejection: self = .rejected(error.findings)
        case let error as PlanHistoryError: self = Problem(409, .conflict, error.description)
        case let error as InvoicingError: self = Problem(409, .conflict, error.description)
        case let error as LedgerError: self = Problem(409, .conflict, error.description)
        case let error as BillingCalendarError: self = .invalid("time_zone", error.description)
        case let error as CatalogueRejection:
            self = Problem(422, .rejectedDocument, error.description)
        case let error as CatalogueRefusal:
            self = Problem(422, .rejectedDocument, error.description)
        case let error as BooksError:
            self = Problem(409, .conflict, "\(error); `tollgate reconcile` shows where the books differ")
        default: self = Problem(failureOf: error)
        }
    }

    private init(failureOf error: any Error) {
        switch DatabaseFailure(error) {
        case .unavailable:
            self.init(
                503, .unavailable, "the database is away or too busy; nothing was changed, try again",
                headers: [.retryAfter: "1"])
        case .commitUnknown:
            self.init(
                503, .outcomeUnknown,
                "the connection to the database broke during the change: look, or repeat the call with the same "
                    + "Idempotency-Key", headers: [.retryAfter: "1"])
        case .refused where DatabaseFailure.isOfValues(error):
            // Whatever slipped through the rules of the parameters is still the caller's value.
            self.init(400, .invalidRequest, "a value of this call is out of the range that can be stored or compared")
        case .refused, nil:
            self.init(500, .internalError, "the log has more under this request id")
        }
    }

    /// The body of the answer.
    func json(path: String, requestID: String) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init(name: "type", value: "urn:tollgate:problem:\(code.rawValue)"),
            .init(name: "title", value: .string(code.title)),
            .init(name: "status", value: .integer(Int128(status))),
            .init(name: "detail", value: .string(detail)),
            .init(name: "instance", value: .string(path)),
            .init(name: "code", value: .string(code.rawValue)),
            .init(name: "request_id", value: .string(requestID)),
        ]
        if !errors.isEmpty {
            members.append(
                .init(
                    name: "errors",
                    value: .array(
                        errors.map { ["parameter": .string($0.parameter), "detail": .string($0.detail)] })))
        }
        return .object(members)
    }

    /// The component that every problem answers to.
    static let schema: Schema = .object(
        [
            .required("type", .text("A URN made of the code.")),
            .required("title", .text("The same for every problem of the code.")),
            .required("status", .integer("The HTTP status.", in: 400...599)),
            .required("detail", .text("What is wrong with this call, and what to do.", lengths: 0...100_000)),
            .required("instance", .text("The path that was called.", lengths: 0...10_000)),
            .required("code", .choice(Code.self, "Stable: branch on this.")),
            .required("request_id", .text("As in the header x-request-id and the log.")),
            .optional(
                "errors",
                .list(
                    .object([
                        .required("parameter", .text("The parameter, or the path in the body.", lengths: 0...10_000)),
                        .required("detail", .text("What is wrong with it.", lengths: 0...100_000)),
                    ]), "Every parameter that is wrong.", countMax: Schema.complaintCountMax)),
        ], named: "Problem", "RFC 9457 problem details.")
}
